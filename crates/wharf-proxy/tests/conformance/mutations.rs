//! Requests with random wounds, sent through the whole proxy: each is refused, or arrives as strict HTTP
//! and is answered, one answer for one request.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::stage::{Fault, Stage};

const WHOLE: [&str; 6] = [
    "GET /a?b HTTP/1.1\r\nHost: shop.localhost\r\nCookie: a=b\r\nConnection: close, x-a\r\nX-A: 1\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 11\r\n\r\nhello world",
    "POST /a HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n",
    "GET http://shop.localhost/a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
    "GET /ws HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "GET /old HTTP/1.0\r\nHost: shop.localhost\r\nConnection: keep-alive\r\n\r\n",
];

/// What is put into a request, or in place of a byte of it.
const WOUNDS: [&str; 20] = [
    "",
    "\r",
    "\n",
    "\r\n",
    "\0",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "0",
    "5",
    "-",
    "+",
    "\"",
    "x",
    "\r\n ",
    "\r\nContent-Length: 5",
    "\r\nTransfer-Encoding: chunked",
    "\u{b}",
];

/// Several requests behind each other, and what is done to them.
fn wounded() -> impl Strategy<Value = Vec<u8>> {
    let requests = prop::collection::vec(select(&WHOLE[..]), 1..4);
    let wounds = prop::collection::vec((any::<Index>(), select(&WOUNDS[..]), 0..3_usize), 0..3);
    (requests, wounds).prop_map(|(requests, wounds)| {
        let mut bytes = requests.concat().into_bytes();
        for (at, wound, taken) in wounds {
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + taken);
            bytes.splice(at..end, wound.bytes());
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn wounded_requests_are_refused_or_arrive_whole(sent in wounded()) {
        let stage = Stage::echo();
        let mut client = stage.client();
        client.send(&sent);
        client.finish();
        let (answers, end) = client.answers("GET");
        let log = stage.end();
        let served = answers.iter().filter(|answer| answer.status() == 200).count();
        let told = format!("{}\n{answers:?}\n{log:?}", sent.escape_ascii());
        // A refusal is the last word; nothing but an answer is ever said.
        prop_assert!(matches!(end, Fault::End | Fault::Cut), "{end}: {told}");
        prop_assert!(!log.faults.iter().any(|fault| matches!(fault, Fault::Bad(_))), "{told}");
        prop_assert_eq!(served, log.requests.len(), "{}", told);
        let refused = answers.iter().position(|answer| answer.status() == 400);
        prop_assert!(refused.is_none_or(|at| at + 1 == answers.len()), "{told}");
    }
}
