//! The answers of `wharf requests`: lines that stand below each other although each is written when it
//! comes.

use wharf_control::requests::{RequestNoticeKind, RequestReport};

use super::printable;
use super::table::{columns, shortened, terminal_width};

/// Between two columns.
const GAP: &str = "  ";
/// The columns before the last, each with its least width. On a pipe nothing is cut.
const HEAD: [(&str, usize); 6] =
    [("UTC", 8), ("CODE", 4), ("METHOD", 7), ("TOOK", 6), ("SIZE", 6), ("BY", 16)];
/// Less than this of a path tells nobody which it is.
const LEAST: usize = 12;

/// The head.
pub(crate) fn head() -> String {
    written(HEAD.map(|(word, _)| word.to_owned()), "PATH", terminal_width())
}

/// All of them.
pub(crate) fn text(requests: &[RequestReport]) -> String {
    head() + &requests.iter().map(|request| row(request, terminal_width())).collect::<String>()
}

/// What a line of the stream tells people.
pub(crate) fn line(kind: &RequestNoticeKind) -> String {
    match kind {
        RequestNoticeKind::Subscribed => String::new(),
        RequestNoticeKind::Request { request } => row(request, terminal_width()),
        RequestNoticeKind::Missed { missed } => format!("({missed} requests are not shown)\n"),
    }
}

fn row(request: &RequestReport, width: usize) -> String {
    let cells = [
        time_of_day(request.time_ms),
        request.status.to_string(),
        request.method.clone(),
        duration(request.micros),
        size(request.bytes),
        request.upstream.clone().unwrap_or_else(|| "wharf".to_owned()),
    ];
    // Who was meant is news only where nobody was reached.
    let host = if request.upstream.is_none() { request.host.as_str() } else { "" };
    written(cells, &format!("{host}{}", request.path), width)
}

fn written(cells: [String; 6], path: &str, width: usize) -> String {
    let mut text = String::new();
    for (cell, (_, room)) in cells.iter().zip(HEAD) {
        let cell = printable(cell);
        let cell = if width == usize::MAX { cell } else { shortened(&cell, room) };
        text.push_str(&cell);
        text.push_str(&" ".repeat(room.saturating_sub(columns(&cell))));
        text.push_str(GAP);
    }
    let left = width.saturating_sub(columns(&text)).max(LEAST);
    text.push_str(&shortened(&printable(path), left));
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn time_of_day(time_ms: u64) -> String {
    let seconds = time_ms / 1000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn duration(micros: u64) -> String {
    match micros {
        0..=999 => format!("{micros} µs"),
        1_000..=999_999 => format!("{} ms", micros / 1_000),
        1_000_000..=99_999_999 => format!("{}.{} s", micros / 1_000_000, micros / 100_000 % 10),
        _ => format!("{} s", micros / 1_000_000),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..=999 => format!("{bytes} B"),
        1_000..=999_999 => format!("{} kB", bytes / 1_000),
        1_000_000..=999_999_999 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(upstream: Option<&str>, path: &str) -> RequestReport {
        RequestReport {
            time_ms: 86_400_000 + 3_661_000,
            host: "shop.localhost".into(),
            method: "OPTIONS".into(),
            path: path.into(),
            status: 404,
            micros: 1_250_000,
            bytes: 1_234_567,
            upstream: upstream.map(str::to_owned),
            instance: None,
            https: false,
            upgraded: false,
        }
    }

    #[test]
    fn lines_fit_a_terminal_and_are_whole_on_a_pipe() {
        let long = request(Some("2.checkout.fix-login.shop-3f2a"), &format!("/{}", "x".repeat(90)));
        let line = row(&long, 80);
        assert_eq!(columns(line.trim_end()), 80, "{line}");
        assert!(line.starts_with("01:01:01  404   OPTIONS  1.2 s   1 MB    2.check"), "{line}");
        let line = row(&long, usize::MAX);
        assert!(line.contains("2.checkout.fix-login.shop-3f2a  /xxx"), "{line}");
        assert!(line.ends_with("x\n") && !line.contains('…'), "{line}");
    }

    #[test]
    fn what_a_client_sent_moves_nobodys_cursor() {
        let line = row(&request(None, "/a\x1b[2J\n\u{9b}b"), usize::MAX);
        assert!(line.ends_with("wharf             shop.localhost/a\\x1b[2J\\n\\x9bb\n"), "{line}");
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn figures_are_short() {
        for (micros, text) in [(999, "999 µs"), (1_999, "1 ms"), (100_000_000, "100 s")] {
            assert_eq!(duration(micros), text);
        }
        for (bytes, text) in [(0, "0 B"), (999_999, "999 kB"), (5_000_000_000, "5 GB")] {
            assert_eq!(size(bytes), text);
        }
    }
}
