//! One request and its answer: who may speak when, who has said its last word, and what has no body.

use crate::stage::{Client, Fault, LIMIT, Line, Message, Stage, get, signal};

fn post(client: &mut Client, lines: &str) {
    client.send(format!("POST /a HTTP/1.1\r\nHost: shop.localhost\r\n{lines}\r\n"));
}

/// The head of a request, and its body once `before` was sent.
fn after(line: &mut Line, before: &str) -> Option<Message> {
    let head = line.reader.request_head().ok()?;
    line.send(before);
    let request = line.reader.request_body(head);
    line.note(request)
}

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

#[test]
pub(crate) fn a_client_that_asks_whether_to_go_on_is_told_by_the_server() {
    let stage = Stage::new(|line| {
        while after(line, CONTINUE).is_some() {
            line.answer("done");
        }
    });
    let mut client = stage.client();
    for (lines, body) in [
        ("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"),
        ("Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        post(&mut client, lines);
        assert_eq!(client.answer("POST").status(), 100);
        client.send(body);
        assert_eq!(client.answer("POST").text(), "done");
    }
    let log = stage.end();
    assert!(log.requests.iter().all(|seen| seen.one("expect").is_some() && seen.text() == "hello"));
    assert_eq!(log.connections, 1);
}

#[test]
pub(crate) fn a_client_that_does_not_wait_need_not() {
    let stage = Stage::echo();
    let mut client = stage.client();
    post(&mut client, "Expect: 100-continue\r\nContent-Length: 5\r\n");
    client.send("hello");
    assert_eq!(client.answer("POST").text(), "POST /a");
    assert_eq!(client.get("/b").text(), "GET /b");
    assert_eq!(stage.end().requests[0].text(), "hello");
}

/// What the client sends then, a body or a request, nobody can tell: both connections end.
#[test]
pub(crate) fn a_client_that_is_told_not_to_go_on_starts_again() {
    for sent_all_the_same in ["", "hello", "GET /smuggled HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"]
    {
        let stage = Stage::new(|line| {
            if line.number == 0 && line.reader.request_head().is_ok() {
                line.send("HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno");
            }
            line.echo();
        });
        let mut client = stage.client();
        post(&mut client, "Expect: 100-continue\r\nContent-Length: 50\r\n");
        let answer = client.answer("POST");
        assert_eq!((answer.status(), answer.text().as_str()), (417, "no"));
        assert_eq!(answer.one("connection"), Some("close"));
        client.send(sent_all_the_same);
        assert!(client.ends(), "nothing else is said");
        assert_eq!(stage.client().get("/next").text(), "GET /next");
        let log = stage.end();
        assert_eq!((log.asked(), log.connections), (vec!["GET /next".to_owned()], 2));
    }
}

#[test]
pub(crate) fn http_1_0_knows_no_expectation_and_no_interim_answers() {
    let stage = Stage::new(|line| {
        while after(line, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").is_some() {
            line.answer("done");
        }
    });
    let mut client = stage.client();
    client.send("POST /a HTTP/1.0\r\nHost: shop.localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
    let (answers, end) = client.answers("POST");
    let statuses: Vec<u16> = answers.iter().map(Message::status).collect();
    assert_eq!((statuses.as_slice(), end), (&[200][..], Fault::End));
    assert_eq!(stage.end().requests[0].all("expect"), [""; 0]);
}

#[test]
pub(crate) fn answers_before_the_answer_go_on_in_their_order() {
    let stage = Stage::new(|line| {
        while line.request().is_some() {
            line.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: y\r\n\r\n");
            line.send(
                "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x-b\r\nX-B: 1\r\n\r\n",
            );
            line.send("HTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\n");
            line.answer("done");
        }
    });
    let mut client = stage.client();
    for _ in 0..2 {
        client.send(get("/a"));
        let seen: Vec<Message> = (0..5).map(|_| client.answer("GET")).collect();
        let statuses: Vec<u16> = seen.iter().map(Message::status).collect();
        assert_eq!(statuses, [100, 102, 103, 103, 200]);
        assert_eq!(seen[2].one("link"), Some("</a.css>"));
        assert!(seen[2].all("x-b").is_empty() && seen[2].all("connection").is_empty());
        assert_eq!(seen[4].text(), "done");
    }
    assert_eq!(stage.end().connections, 1);
}

/// An interim answer is no use to anybody once the answer is there.
#[test]
pub(crate) fn an_answer_before_the_answer_is_not_held_back() {
    let (go, gone) = signal();
    let stage = Stage::new(move |line| {
        line.request();
        line.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
        gone.lock().unwrap().recv().unwrap();
        line.answer("done");
    });
    let mut client = stage.client();
    client.send(get("/a"));
    assert_eq!(client.answer("GET").status(), 103);
    go.send(()).unwrap();
    assert_eq!(client.answer("GET").text(), "done");
}

/// The name, the method, the server's answer, and which fields of it a client must see.
type Bodiless = (&'static str, &'static str, &'static str, u16, Option<&'static str>);

#[test]
pub(crate) fn what_has_no_body_has_none_and_the_connections_go_on() {
    let rows: &[Bodiless] = &[
        (
            "HEAD with a length",
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
            200,
            Some("10"),
        ),
        (
            "HEAD with chunks",
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            200,
            None,
        ),
        ("HEAD without a word", "HEAD", "HTTP/1.1 200 OK\r\n\r\n", 200, None),
        (
            "HEAD of an error",
            "HEAD",
            "HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\n",
            404,
            Some("3"),
        ),
        ("204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        ("204 to DELETE", "DELETE", "HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        (
            "204 with a length of nothing",
            "GET",
            "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n",
            204,
            None,
        ),
        ("304", "GET", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", 304, None),
        (
            "304 with a length",
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            304,
            Some("9"),
        ),
        (
            "a length of nothing",
            "GET",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            200,
            Some("0"),
        ),
        ("205", "POST", "HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", 205, Some("0")),
    ];
    for (name, method, head, status, length) in rows {
        let stage = Stage::new(move |line| {
            line.request();
            line.send(head);
            line.echo();
        });
        let mut client = stage.client();
        client.send(format!("{method} /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"));
        let answer = client.answer(method);
        assert_eq!(answer.status(), *status, "{name}");
        assert_eq!(answer.one("content-length"), *length, "{name}");
        assert_eq!(client.get("/next").text(), "GET /next", "{name}");
        assert_eq!(stage.end().connections, 1, "{name}");
    }
}

#[test]
pub(crate) fn trailers_go_both_ways_except_what_frames_or_authenticates() {
    let stage = Stage::new(|line| {
        while line.request().is_some() {
            line.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n");
            line.send("2\r\nhi\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\nContent-Length: 9\r\n\r\n");
        }
    });
    let mut client = stage.client();
    for _ in 0..2 {
        post(&mut client, "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n");
        client.send("2\r\nhi\r\n0\r\nX-Sum: 2\r\nHost: evil\r\nX-Forwarded-For: 6\r\nCookie: a\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\nAuthorization: b\r\n\r\n");
        let answer = client.answer("POST");
        assert_eq!(answer.text(), "hi");
        assert_eq!(answer.trailers, [("X-Sum".to_owned(), "1".to_owned())]);
        assert_eq!(answer.one("trailer"), Some("X-Sum"));
    }
    let log = stage.end();
    assert_eq!(log.requests.len(), 2);
    for request in &log.requests {
        assert_eq!(request.trailers, [("X-Sum".to_owned(), "2".to_owned())]);
    }
}

#[test]
pub(crate) fn an_early_answer_arrives_while_the_client_still_sends() {
    let stage = Stage::new(|line| {
        let head = line.reader.request_head().unwrap();
        line.answer("early");
        let request = line.reader.request_body(head);
        line.note(request);
        line.echo();
    });
    let mut client = stage.client();
    post(&mut client, "Content-Length: 10\r\n");
    client.send("01234");
    assert_eq!(client.answer("POST").text(), "early");
    client.send("56789");
    assert_eq!(client.get("/next").text(), "GET /next", "the connection goes on");
    assert_eq!(stage.end().requests[0].text(), "0123456789");
}

/// The server has answered and hears no more: the answer is not lost in what is still being sent.
#[test]
pub(crate) fn an_early_answer_survives_a_server_that_has_closed() {
    let stage = Stage::new(|line| {
        if line.reader.request_head().is_ok() {
            line.send(
                "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig",
            );
        }
    });
    let mut client = stage.client();
    post(&mut client, "Content-Length: 100000000\r\n");
    let answer = client.answer("POST");
    assert_eq!((answer.status(), answer.text().as_str()), (413, "big"));
    client.send(vec![b'x'; 512 * 1024]);
    assert!(client.ends());
}

#[test]
pub(crate) fn both_may_speak_at_the_same_time() {
    let stage = Stage::new(|line| {
        let _ = line.reader.request_head();
        line.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while let Ok(Some(chunk)) = line.reader.chunk() {
            line.send(format!("{:x}\r\n", chunk.len()));
            line.send(&chunk);
            line.send("\r\n");
        }
        line.send("0\r\n\r\n");
        line.finish();
    });
    let mut client = stage.client();
    post(&mut client, "Transfer-Encoding: chunked\r\n");
    assert_eq!(client.reader.head().unwrap().status(), 200);
    for word in ["one", "three", "fifteen"] {
        client.send(format!("{:x}\r\n{word}\r\n", word.len()));
        assert_eq!(client.reader.chunk(), Ok(Some(word.into())));
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.reader.chunk(), Ok(None));
}

#[test]
pub(crate) fn a_server_of_events_hears_that_nobody_listens_any_more() {
    let (told, heard) = signal();
    let stage = Stage::new(move |line| {
        let _ = line.reader.request_head();
        line.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n");
        line.send("Transfer-Encoding: chunked\r\n\r\n1\r\n.\r\n");
        // It has nothing more to say.
        line.reader.drain();
        told.send(()).unwrap();
    });
    let mut client = stage.client();
    client.send(get("/events"));
    assert_eq!(client.reader.head().unwrap().status(), 200);
    assert_eq!(client.reader.chunk(), Ok(Some(b".".to_vec())));
    client.finish();
    heard.lock().unwrap().recv_timeout(LIMIT).unwrap();
}

#[test]
pub(crate) fn a_client_that_has_said_its_last_word_gets_its_whole_answer() {
    let (go, gone) = signal();
    let stage = Stage::new(move |line| {
        while let Some(request) = line.request() {
            gone.lock().unwrap().recv().unwrap();
            line.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n.\r\n");
            gone.lock().unwrap().recv().unwrap();
            line.send(format!("{:x}\r\n{}\r\n0\r\n\r\n", request.target().len(), request.target()));
        }
    });
    let mut client = stage.client();
    client.send([get("/one"), get("/two")].concat());
    client.finish();
    for target in ["/one", "/two"] {
        go.send(()).unwrap();
        assert_eq!(client.reader.head().unwrap().status(), 200);
        assert_eq!(client.reader.chunk(), Ok(Some(b".".to_vec())));
        go.send(()).unwrap();
        assert_eq!(client.reader.chunk(), Ok(Some(target.into())));
        assert_eq!(client.reader.chunk(), Ok(None));
        assert_eq!(client.reader.bytes(2), Ok(b"\r\n".to_vec()));
    }
    assert!(client.ends());
}

#[test]
pub(crate) fn http_1_0_ends_its_connection_unless_it_asks_to_keep_it() {
    let stage = Stage::echo();
    let old = |target: &str, lines: &str| {
        format!("GET {target} HTTP/1.0\r\nHost: shop.localhost\r\n{lines}\r\n")
    };
    let mut client = stage.client();
    for target in ["/a", "/b"] {
        client.send(old(target, "Connection: Keep-Alive\r\n"));
        let answer = client.answer("GET");
        assert_eq!(answer.text(), format!("GET {target}"));
        assert_eq!(
            answer.one("connection").map(str::to_ascii_lowercase).as_deref(),
            Some("keep-alive")
        );
    }
    for lines in ["", "Connection: close\r\n", "Connection: keep-alive, close\r\n"] {
        let mut client = stage.client();
        client.send(old("/c", lines));
        let answer = client.answer("GET");
        assert_eq!(answer.one("connection"), Some("close"), "{lines:?}");
        assert!(client.ends(), "{lines:?}");
    }
    let mut client = stage.client();
    client.send("GET /d HTTP/1.0\r\nHost: unknown.localhost\r\n\r\n");
    let answer = client.answer("GET");
    assert_eq!((answer.status(), answer.one("connection")), (421, Some("close")));
    assert!(client.ends(), "after a refusal too");
}

#[test]
pub(crate) fn http_1_0_is_not_sent_chunks() {
    let stage = Stage::new(|line| {
        while line.request().is_some() {
            line.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n");
        }
    });
    for lines in ["", "Connection: keep-alive\r\n"] {
        let mut client = stage.client();
        client.send(format!("GET /a HTTP/1.0\r\nHost: shop.localhost\r\n{lines}\r\n"));
        let answer = client.answer("GET");
        assert_eq!(answer.text(), "hello!");
        assert_eq!(answer.one("connection"), Some("close"));
        assert!(answer.all("transfer-encoding").is_empty());
    }
}

#[test]
pub(crate) fn close_is_close_on_each_side_for_itself() {
    let stage = Stage::echo();
    let mut client = stage.client();
    client.send("GET /a HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(client.answer("GET").one("connection"), Some("close"));
    assert!(client.ends());
    assert_eq!(stage.client().get("/b").text(), "GET /b");
    assert_eq!(stage.end().connections, 1, "the server's connection was kept");
    let stage = Stage::new(|line| {
        line.request();
        line.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
    });
    let mut client = stage.client();
    for _ in 0..3 {
        let answer = client.get("/a");
        assert_eq!((answer.text().as_str(), answer.one("connection")), ("hi", None));
    }
    assert_eq!(stage.end().connections, 3, "the client's connection was kept");
}
