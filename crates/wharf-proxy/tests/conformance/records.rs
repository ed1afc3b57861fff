//! What is told of requests to whoever looks at them.

use std::sync::Arc;

use wharf_proxy::Record;

use crate::stage::{House, LIMIT, Stage, get};

/// The next record. Who waits for it waits for the end of the answer.
fn next(house: &mut House) -> Arc<Record> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let next = async { tokio::time::timeout(LIMIT, house.records.recv()).await };
    runtime.block_on(next).expect("too late").unwrap()
}

#[test]
pub(crate) fn what_is_broken_off_is_told_of_as_far_as_it_came() {
    let mut stage = Stage::new(|line| {
        line.request();
        line.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
        if line.number == 0 {
            line.reader.drain();
        }
    });
    let mut client = stage.client();
    client.send(get("/left"));
    while !client.reader.raw.ends_with(b"0123456789") {
        client.reader.bytes(1).unwrap();
    }
    rustix::net::sockopt::set_socket_linger(&client.stream, Some(std::time::Duration::ZERO))
        .unwrap();
    drop(client);
    let record = next(&mut stage.house);
    assert_eq!((record.path.as_str(), record.status, record.bytes), ("/left", 200, 10));
    let mut client = stage.client();
    client.send(get("/broken"));
    client.reader.drain();
    let record = next(&mut stage.house);
    assert_eq!((record.path.as_str(), record.status, record.bytes), ("/broken", 200, 10));
}

#[test]
pub(crate) fn an_answer_of_the_proxys_own_is_counted_too() {
    let mut stage = Stage::echo();
    let mut client = stage.client();
    client.send(get("/").replace("shop.localhost", "shop.localhost:1"));
    let answer = client.answer("GET");
    let record = next(&mut stage.house);
    assert_eq!((record.status, record.bytes), (421, answer.body.len() as u64));
    assert!(!answer.body.is_empty() && record.upstream.is_none());
}
