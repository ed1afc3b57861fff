//! The head of a request, of whichever version of HTTP.

pub(crate) use httparse::Header as Field;

/// A request's head, as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a str,
    /// The target of HTTP/1, or the path of HTTP/2.
    pub(crate) target: &'a str,
    pub(crate) fields: &'a [Field<'a>],
}

impl<'a> Head<'a> {
    /// The values of every field of this name.
    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        all(self.fields, name)
    }

    /// The value of the only field of this name; `Err` where there are several.
    pub(crate) fn one(&self, name: &'static str) -> Result<Option<&'a [u8]>, Several> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Several),
        }
    }

    /// Whether any of the named fields contains the token, in a list or alone.
    pub(crate) fn lists(&self, name: &'static str, token: &str) -> bool {
        self.all(name).any(|value| tokens(value).any(|one| one.eq_ignore_ascii_case(token)))
    }

    /// Whether the request may be sent again when nobody knows whether it has arrived.
    pub(crate) fn is_safe(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS")
    }

    /// Whether a person looks at the answer.
    pub(crate) fn wants_page(&self) -> bool {
        self.method == "GET" && self.accepts("text/html")
    }

    /// Whether the answer is for a program that reads JSON.
    pub(crate) fn wants_json(&self) -> bool {
        !self.accepts("text/html") && (self.accepts("application/json") || self.accepts("+json"))
    }

    fn accepts(&self, kind: &str) -> bool {
        self.all("accept").any(|value| contains(value, kind.as_bytes()))
    }
}

/// A field that may be there once is there several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Several;

/// The values of every field of this name, which is given in lower case.
pub(crate) fn all<'a>(
    fields: &'a [Field<'a>],
    name: &'static str,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let named = move |field: &&Field<'a>| field.name.eq_ignore_ascii_case(name);
    fields.iter().filter(named).map(|field| field.value)
}

/// The members of a comma-separated list that are text.
pub(crate) fn tokens(value: &[u8]) -> impl Iterator<Item = &str> {
    let members = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    members.filter_map(|member| std::str::from_utf8(member).ok()).filter(|text| !text.is_empty())
}

fn contains(value: &[u8], part: &[u8]) -> bool {
    value.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}
