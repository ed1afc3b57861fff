//! What the proxy itself answers: a page, a sentence of JSON, or plain text. Small, correct without
//! scripts, and never a word about other names.

use std::borrow::Cow;

use bytes::Bytes;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::head::Head;
use crate::refusal::Refusal;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:12vh auto;\
padding:0 1rem;color:#222;background:#fff}h1{font-size:1.3rem}pre{background:#f3f3f3;padding:.8rem;\
overflow:auto;font-size:.8rem}code{background:#f3f3f3;padding:0 .2rem}footer{color:#777;\
font-size:.8rem;margin-top:2rem}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}\
pre,code{background:#2a2a2a}}";

/// Nothing of these pages may run, load or be framed.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// An answer of the proxy's own.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(&'static str, Cow<'static, str>)>,
    pub(crate) body: Bytes,
}

/// What a refusal says.
struct Words {
    /// For programs.
    code: &'static str,
    title: String,
    why: String,
    help: Option<String>,
    lines: Vec<String>,
}

/// The answer to a request whose head could be read, in the form that it wants.
pub(crate) fn answer(refusal: &Refusal, head: &Head<'_>) -> Page {
    let form = match () {
        () if head.wants_json() => Form::Json,
        () if head.wants_page() => Form::Html,
        () => Form::Text,
    };
    build(refusal, form)
}

/// The answer to what could not be read.
pub(crate) fn bare(refusal: &Refusal) -> Page {
    build(refusal, Form::Text)
}

/// Where to, with the method and the body as they are (RFC 9110, section 15.4.9).
pub(crate) fn moved(to: String) -> Page {
    let fields = vec![("location", Cow::Owned(to)), ("cache-control", Cow::Borrowed("no-store"))];
    Page { status: 308, fields, body: Bytes::new() }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Html,
    Json,
    Text,
}

fn build(refusal: &Refusal, form: Form) -> Page {
    let words = words(refusal);
    let mut fields = vec![("cache-control", "no-store"), ("x-content-type-options", "nosniff")];
    match refusal {
        Refusal::Starting(_) | Refusal::Crowded => fields.push(("retry-after", "1")),
        Refusal::Method => fields.push(("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")),
        _ => {}
    }
    let body = match form {
        Form::Html => {
            fields.push(("content-type", "text/html; charset=utf-8"));
            fields.push(("content-security-policy", POLICY));
            page(&words, matches!(refusal, Refusal::Starting(_))).into_string()
        }
        Form::Json => {
            fields.push(("content-type", "application/json"));
            json(&words)
        }
        Form::Text => {
            fields.push(("content-type", "text/plain; charset=utf-8"));
            text(&words)
        }
    };
    let fields = fields.into_iter().map(|(name, value)| (name, Cow::Borrowed(value))).collect();
    Page { status: refusal.status(), fields, body: Bytes::from(body) }
}

fn page(words: &Words, again: bool) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                @if again { meta http-equiv="refresh" content="1"; }
                title { (words.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (words.title) }
                p { (words.why) }
                @if !words.lines.is_empty() {
                    pre { @for line in &words.lines { (line) "\n" } }
                }
                @if let Some(help) = &words.help { p { (help) } }
                footer { "wharf" }
            }
        }
    }
}

fn text(words: &Words) -> String {
    let mut text = format!("{}\n  why: {}\n", words.title, words.why);
    for line in &words.lines {
        text.push_str(&format!("  | {line}\n"));
    }
    if let Some(help) = &words.help {
        text.push_str(&format!("  help: {help}\n"));
    }
    text
}

fn json(words: &Words) -> String {
    let Words { code, title, why, help, lines } = words;
    let mut error = serde_json::json!({ "code": code, "message": title, "why": why });
    if let Some(help) = help {
        error["help"] = help.as_str().into();
    }
    if !lines.is_empty() {
        error["last_lines"] = lines.as_slice().into();
    }
    serde_json::json!({ "schema": 1, "error": error }).to_string()
}

fn words(refusal: &Refusal) -> Words {
    let say = |code, title: String, why: String| Words {
        code,
        title,
        why,
        help: None,
        lines: Vec::new(),
    };
    match refusal {
        Refusal::Malformed(what) => say(
            "malformed",
            "This request is not well formed".into(),
            format!("{what}; two programs might read it in two ways"),
        ),
        Refusal::HeadTooLong => say(
            "head_too_long",
            "The head of this request is too long".into(),
            "64 KiB and 200 fields are the most".into(),
        ),
        Refusal::TargetTooLong => {
            say("target_too_long", "This URL is too long".into(), "32 KiB are the most".into())
        }
        Refusal::Slow => say(
            "slow",
            "The request did not arrive".into(),
            "its head took more than 15 seconds".into(),
        ),
        Refusal::UnknownCoding => say(
            "unknown_coding",
            "This transfer coding is not known".into(),
            "`chunked` is the only one".into(),
        ),
        Refusal::Method => say(
            "method",
            "This method is not passed on".into(),
            "CONNECT, TRACE and `OPTIONS *` are for proxies of another kind".into(),
        ),
        Refusal::Unknown => Words {
            help: Some("`wharf ls` shows the names that there are".into()),
            ..say("unknown_name", "There is nothing by this name".into(), "no such route".into())
        },
        _ => words_of_upstream(refusal),
    }
}

fn words_of_upstream(refusal: &Refusal) -> Words {
    let say = |code, title: String, why: String, help: Option<String>| Words {
        code,
        title,
        why,
        help,
        lines: Vec::new(),
    };
    match refusal {
        Refusal::Foreign { origin } => foreign(origin.as_deref()),
        Refusal::Starting(name) => say(
            "starting",
            format!("{name} is starting"),
            "This page becomes the site as soon as the server answers.".into(),
            None,
        ),
        Refusal::Ended { name, exit_code, failed, last_lines } => Words {
            lines: last_lines.clone(),
            ..ended(name, *exit_code, *failed, last_lines.is_empty())
        },
        Refusal::Unreachable { name, why } => say(
            "unreachable",
            format!("{name} does not take connections"),
            why.clone(),
            Some(format!("`wharf who {name}` tells what listens there")),
        ),
        Refusal::Stranger { name, who } => say(
            "stranger",
            format!("Somebody else listens where {name} should"),
            format!("{who}. Nothing was sent there"),
            Some("`wharf who PORT` tells more".into()),
        ),
        Refusal::BadAnswer { name, why } => say(
            "bad_answer",
            format!("{name} answered with something that is not HTTP"),
            (*why).into(),
            None,
        ),
        Refusal::Circle => say(
            "circle",
            "This request goes round in a circle".into(),
            "it has passed through wharf several times: a server proxies to its own name".into(),
            Some("let that server proxy to the other one's name or port".into()),
        ),
        _ => say(
            "crowded",
            "Too many requests wait for servers that are starting".into(),
            "the most that wait are 1024".into(),
            None,
        ),
    }
}

fn foreign(origin: Option<&str>) -> Words {
    let origins = format!("origins = [\"{}\"]", origin.unwrap_or("https://that.example"));
    Words {
        code: "foreign_origin",
        title: "Another site's page asked for this".into(),
        why: "pages of other sites may neither read nor change what a development server has"
            .into(),
        help: Some(format!(
            "if it is meant to, write `{origins}` into wharf.toml; `guard = \"off\"` lets every page"
        )),
        lines: Vec::new(),
    }
}

fn ended(name: &str, exit_code: Option<i32>, failed: bool, silent: bool) -> Words {
    let how = match exit_code {
        Some(code) => format!("its command ended with exit code {code}"),
        None => "its command has ended".into(),
    };
    let output = "what it said is in the terminal where it was started";
    Words {
        code: if failed { "failed" } else { "ended" },
        title: match failed {
            true => format!("{name} failed to start"),
            false => format!("{name} has ended"),
        },
        why: if silent { format!("{how}; {output}") } else { how },
        help: Some("start it again where it was started".into()),
        lines: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(refusal: &Refusal) -> String {
        String::from_utf8(build(refusal, Form::Html).body.to_vec()).unwrap()
    }

    #[test]
    fn what_servers_said_is_text() {
        let refusal = Refusal::Ended {
            name: "shop".into(),
            exit_code: Some(3),
            failed: true,
            last_lines: vec!["<script>alert(1)</script>".into()],
        };
        let page = html(&refusal);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
        let document: serde_json::Value =
            serde_json::from_slice(&build(&refusal, Form::Json).body).unwrap();
        assert_eq!(document["error"]["code"], "failed");
        assert_eq!(document["error"]["last_lines"][0], "<script>alert(1)</script>");
    }

    #[test]
    fn the_page_of_what_starts_comes_back_by_itself_and_no_other_does() {
        assert!(html(&Refusal::Starting("shop".into())).contains("http-equiv=\"refresh\""));
        assert!(!html(&Refusal::Unknown).contains("refresh"));
        let page = build(&Refusal::Starting("shop".into()), Form::Html);
        assert_eq!(page.status, 503);
        assert!(page.fields.contains(&("retry-after", "1".into())));
    }

    #[test]
    fn an_unknown_name_is_told_the_same_whatever_it_is() {
        let page = build(&Refusal::Unknown, Form::Text);
        assert_eq!(page.status, 421);
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(!text.contains(".localhost"), "{text}");
    }
}
