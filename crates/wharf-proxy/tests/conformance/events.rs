//! Answers that never end by themselves: what the server says is there at once, not with the next word.

use std::io::Write;

use crate::stage::{Fault, Stage, get, signal};

const EVENTS: usize = 50;

fn event(number: usize) -> String {
    format!("id: {number}\ndata: {{}}\n\n")
}

/// A stage whose server sends one event for each signal.
fn stage(head: &'static str, chunked: bool) -> (Stage, std::sync::mpsc::SyncSender<()>) {
    let (go, gone) = signal();
    let stage = Stage::new(move |line| {
        line.request();
        line.send(head);
        for number in 0..EVENTS {
            gone.lock().unwrap().recv().unwrap();
            let text = event(number);
            match chunked {
                true => line.send(format!("{:x}\r\n{text}\r\n", text.len())),
                false => line.send(text),
            }
        }
        if chunked {
            line.send("0\r\n\r\n");
        }
    });
    (stage, go)
}

#[test]
pub(crate) fn each_event_arrives_before_the_next_is_sent() {
    for (head, chunked) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            true,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", false),
    ] {
        let (stage, go) = stage(head, chunked);
        let mut client = stage.client();
        client.send(get("/events"));
        let answer = client.reader.head().unwrap();
        assert_eq!(answer.one("content-type"), Some("text/event-stream"), "the head comes alone");
        assert!(
            answer.all("content-encoding").is_empty() && answer.all("content-length").is_empty()
        );
        for number in 0..EVENTS {
            go.send(()).unwrap();
            assert_eq!(client.reader.chunk(), Ok(Some(event(number).into_bytes())));
        }
        assert_eq!(client.reader.chunk(), Ok(None));
    }
}

#[test]
pub(crate) fn http_1_0_gets_each_event_too() {
    let (stage, go) = stage("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true);
    let mut client = stage.client();
    client.send("GET /events HTTP/1.0\r\nHost: shop.localhost\r\n\r\n");
    client.reader.head().unwrap();
    for number in 0..EVENTS {
        go.send(()).unwrap();
        let text = event(number);
        assert_eq!(client.reader.bytes(text.len()), Ok(text.into_bytes()));
    }
    assert!(client.ends());
}

/// A page that is streamed with a length, or that is built of many small writes, is no other matter.
#[test]
pub(crate) fn a_body_with_a_length_arrives_as_it_is_written() {
    let (go, gone) = signal();
    let stage = Stage::new(move |line| {
        line.request();
        line.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {EVENTS}\r\n\r\n"));
        for _ in 0..EVENTS {
            gone.lock().unwrap().recv().unwrap();
            line.send("x");
        }
        line.echo();
    });
    let mut client = stage.client();
    client.send(get("/page"));
    client.reader.head().unwrap();
    for _ in 0..EVENTS {
        go.send(()).unwrap();
        assert_eq!(client.reader.bytes(1), Ok(b"x".to_vec()));
    }
    assert_eq!(client.get("/next").text(), "GET /next");
}

#[test]
pub(crate) fn a_server_hears_that_its_listener_has_left() {
    let stage = Stage::new(|line| {
        line.request();
        line.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        while line.stream.write_all(event(0).as_bytes()).is_ok() {}
    });
    let mut client = stage.client();
    client.send(get("/events"));
    client.reader.head().unwrap();
    drop(client);
    stage.upstream.wait("the end of the stream", |log| log.raw.len() == 1);
}

/// One that says nothing would wait for ever else.
#[test]
pub(crate) fn a_silent_server_hears_that_its_client_was_cut_off() {
    let stage = Stage::new(|line| {
        line.request();
        line.reader.drain();
    });
    let mut client = stage.client();
    client.send(get("/events"));
    stage.upstream.wait("the request", |log| log.requests.len() == 1);
    rustix::net::sockopt::set_socket_linger(&client.stream, Some(std::time::Duration::ZERO))
        .unwrap();
    drop(client);
    stage.upstream.wait("the end of the request", |log| log.raw.len() == 1);
}

#[test]
pub(crate) fn an_event_stream_that_breaks_off_is_not_at_its_end() {
    let stage = Stage::new(|line| {
        line.request();
        line.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    });
    let mut client = stage.client();
    client.send(get("/events"));
    client.reader.head().unwrap();
    assert_eq!(client.reader.chunk(), Ok(Some(b"x".to_vec())));
    assert_eq!(client.reader.chunk(), Err(Fault::Cut));
}
