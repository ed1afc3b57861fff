//! YAML as a flat table of nodes: every value knows its line, and an alias is a second way to the same
//! node, so that a file of aliases of aliases costs what it weighs and no more.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle};

/// How many values a file may have.
const NODES_MAX: usize = 20_000;

/// How many merged mappings (`<<`) are followed from one to the next.
const MERGES_MAX: usize = 16;

/// How many lines within brackets may stand too far to the left.
const INDENTED_MAX: usize = 200;

/// How far they are moved: further in than anything is.
const INDENT: usize = 120;

/// What the reader says of them, and of nothing else.
const TOO_FAR_LEFT: [&str; 2] = ["invalid indentation", "invalid indentation in flow construct"];

/// What is wrong with a file, and in which line, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) line: usize,
    pub(crate) why: String,
    /// Whether it is a bound of wharf's own, and nothing that is wrong by the file's grammar.
    pub(crate) is_limit: bool,
}

impl Wrong {
    /// What the grammar of the file does not allow.
    pub(crate) fn new(line: usize, why: impl Into<String>) -> Wrong {
        Wrong { line, why: why.into(), is_limit: false }
    }

    /// More than wharf reads.
    pub(crate) fn limit(line: usize, why: impl Into<String>) -> Wrong {
        Wrong { line, why: why.into(), is_limit: true }
    }
}

/// A document.
#[derive(Debug, Default)]
pub(crate) struct Yaml {
    nodes: Vec<Node>,
    root: Option<usize>,
}

#[derive(Debug)]
struct Node {
    line: usize,
    tag: String,
    value: Value,
}

#[derive(Debug)]
enum Value {
    /// Its text, and whether it was written without quotes.
    Scalar(String, bool),
    List(Vec<usize>),
    /// Keys and values by turns.
    Map(Vec<usize>),
}

/// A value of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    yaml: &'a Yaml,
    id: usize,
}

impl Yaml {
    /// The first document of a text.
    pub(crate) fn parse(text: &str) -> Result<Yaml, Wrong> {
        Ok(Yaml::documents(text, 1)?.pop().unwrap_or_default())
    }

    /// The documents of a text, of which no more are read than `limit`.
    ///
    /// A list in brackets whose closing one stands no further in than its key is no YAML by the letter. Docker Compose
    /// and most others read it, and many files have it: such lines are read as if they were indented.
    pub(crate) fn documents(text: &str, limit: usize) -> Result<Vec<Yaml>, Wrong> {
        let mut text = Cow::Borrowed(text);
        for _ in 0..INDENTED_MAX {
            match Yaml::by_the_letter(&text, limit) {
                Err(wrong) if TOO_FAR_LEFT.contains(&wrong.why.as_str()) => {
                    text = Cow::Owned(indented(&text, wrong.line).ok_or(wrong)?);
                }
                read => return read,
            }
        }
        Yaml::by_the_letter(&text, limit)
    }

    fn by_the_letter(text: &str, limit: usize) -> Result<Vec<Yaml>, Wrong> {
        let mut documents = Vec::new();
        let mut builder = Builder::default();
        for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
            let (event, span) = event.map_err(|why| {
                // What is missing at the end is missed in the last line.
                let line = why.marker().line().min(text.matches('\n').count() + 1);
                Wrong::new(line, why.info())
            })?;
            if matches!(event, Event::DocumentEnd) {
                documents.push(std::mem::take(&mut builder).yaml);
                if documents.len() == limit {
                    break;
                }
                continue;
            }
            builder.take(event, span.start.line())?;
        }
        Ok(documents)
    }

    /// Every scalar that is written in it.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = Item<'_>> {
        let items = (0..self.nodes.len()).map(|id| Item { yaml: self, id });
        items.filter(|item| item.text().is_some())
    }

    /// Its outermost value; `None` of an empty document.
    pub(crate) fn root(&self) -> Option<Item<'_>> {
        let root = Item { yaml: self, id: self.root? };
        (!root.is_null()).then_some(root)
    }
}

/// A text with one of its lines moved in; `None` where it is already.
fn indented(text: &str, line: usize) -> Option<String> {
    let at: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let (before, rest) = text.split_at(at);
    let space = " ".repeat(INDENT);
    (!rest.starts_with(&space)).then(|| format!("{before}{space}{rest}"))
}

#[derive(Default)]
struct Builder {
    yaml: Yaml,
    /// The lists and mappings that are not closed yet, outermost first.
    open: Vec<usize>,
    anchors: HashMap<usize, usize>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), Wrong> {
        let (value, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                (Value::Scalar(text.into_owned(), plain), anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => (Value::List(Vec::new()), anchor, tag),
            Event::MappingStart(anchor, tag) => (Value::Map(Vec::new()), anchor, tag),
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
                return Ok(());
            }
            Event::Alias(anchor) => {
                let Some(id) = self.anchors.get(&anchor).copied() else {
                    return Err(Wrong::new(line, "an alias of nothing"));
                };
                self.place(id);
                return Ok(());
            }
            _ => return Ok(()),
        };
        if self.yaml.nodes.len() >= NODES_MAX {
            return Err(Wrong::limit(line, format!("more than {NODES_MAX} values")));
        }
        let id = self.yaml.nodes.len();
        let opens = !matches!(value, Value::Scalar(..));
        let tag = tag.map(|tag| tag.suffix.clone()).unwrap_or_default();
        self.yaml.nodes.push(Node { line, tag, value });
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        self.place(id);
        if opens {
            self.open.push(id);
        }
        Ok(())
    }

    /// Puts a node into the innermost open one.
    fn place(&mut self, id: usize) {
        match self.open.last().map(|outer| &mut self.yaml.nodes[*outer].value) {
            Some(Value::List(items) | Value::Map(items)) => items.push(id),
            Some(Value::Scalar(..)) => {}
            None => self.yaml.root = self.yaml.root.or(Some(id)),
        }
    }
}

impl<'a> Item<'a> {
    fn node(self) -> &'a Node {
        &self.yaml.nodes[self.id]
    }

    /// Its line, from 1.
    pub(crate) fn line(self) -> usize {
        self.node().line
    }

    /// Its tag without `!`, such as `reset`.
    pub(crate) fn tag(self) -> &'a str {
        &self.node().tag
    }

    pub(crate) fn is_null(self) -> bool {
        matches!(&self.node().value, Value::Scalar(text, true)
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text of a scalar.
    pub(crate) fn text(self) -> Option<&'a str> {
        match &self.node().value {
            Value::Scalar(text, _) if !self.is_null() => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_map(self) -> bool {
        matches!(self.node().value, Value::Map(_))
    }

    /// The values of a list.
    pub(crate) fn items(self) -> impl Iterator<Item = Item<'a>> {
        let ids: &[usize] = match &self.node().value {
            Value::List(ids) => ids,
            _ => &[],
        };
        ids.iter().map(move |id| Item { yaml: self.yaml, id: *id })
    }

    /// The keys and values of a mapping, without those that are merged in.
    pub(crate) fn entries(self) -> impl Iterator<Item = (Item<'a>, Item<'a>)> {
        let ids: &[usize] = match &self.node().value {
            Value::Map(ids) => ids,
            _ => &[],
        };
        let item = move |id: &usize| Item { yaml: self.yaml, id: *id };
        ids.as_chunks::<2>().0.iter().map(move |[key, value]| (item(key), item(value)))
    }

    /// The keys and values of a mapping with those that are merged in, each key once.
    pub(crate) fn merged_entries(self) -> Vec<(Item<'a>, Item<'a>)> {
        let mut all: Vec<(Item<'a>, Item<'a>)> = Vec::new();
        let mut known: HashSet<&'a str> = HashSet::new();
        let mut look = vec![self];
        let mut looked = 0;
        while let Some(map) = look.pop() {
            looked += 1;
            if looked > MERGES_MAX {
                break;
            }
            for (key, value) in map.entries() {
                match key.text() {
                    Some("<<") => look.extend(value.merge_sources()),
                    Some(name) if !known.insert(name) => {}
                    _ => all.push((key, value)),
                }
            }
        }
        all
    }

    /// The mappings that a value of `<<` names, the weakest first.
    fn merge_sources(self) -> Vec<Item<'a>> {
        if self.is_map() {
            return vec![self];
        }
        let mut earlier_first: Vec<Item<'a>> = self.items().take(MERGES_MAX).collect();
        earlier_first.reverse();
        earlier_first
    }

    /// The value of a key: a mapping's own, else that of the mappings that are merged in.
    pub(crate) fn get(self, key: &str) -> Option<Item<'a>> {
        self.get_that(key, |_| true)
    }

    /// The same of those values that may be it.
    pub(crate) fn get_that(self, key: &str, may_be: impl Fn(Item<'a>) -> bool) -> Option<Item<'a>> {
        let mut look = vec![self];
        let mut looked = 0;
        while let Some(map) = look.pop() {
            let own = |name: &str| {
                map.entries().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
            };
            if let Some(value) = own(key).filter(|value| may_be(*value)) {
                return Some(value);
            }
            looked += 1;
            if looked > MERGES_MAX {
                return None;
            }
            look.extend(own("<<").into_iter().flat_map(Item::merge_sources));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn get(text: &str, path: &[&str]) -> Option<(String, usize)> {
        let yaml = Yaml::parse(text).unwrap();
        let mut item = yaml.root()?;
        for key in path {
            item = item.get(key)?;
        }
        Some((item.text()?.to_owned(), item.line()))
    }

    #[test]
    fn every_value_knows_its_line() {
        let text = "# x\na:\n  b: 1\n  'c': \"d\"\ne: [f, g]\n";
        assert_eq!(get(text, &["a", "b"]), Some(("1".into(), 3)));
        assert_eq!(get(text, &["a", "c"]), Some(("d".into(), 4)));
        assert_eq!(get(text, &["a", "x"]), None);
        assert_eq!(get("", &[]), None);
    }

    #[test]
    fn merged_mappings_give_what_a_mapping_does_not_say() {
        let text = "x: &x {image: a, k: 1}\ny: &y {<<: *x, k: 2}\nz:\n  <<: [*y, *x]\n  own: 3\n";
        assert_eq!(get(text, &["z", "image"]).unwrap().0, "a");
        assert_eq!(get(text, &["z", "k"]).unwrap().0, "2");
        assert_eq!(get(text, &["z", "own"]).unwrap().0, "3");
    }

    #[test]
    fn what_is_no_yaml_names_its_line() {
        assert_eq!(Yaml::parse("a: 1\nb: [1,\nc: }").unwrap_err().line, 3);
        assert_eq!(Yaml::parse("a: *nothing").unwrap_err().line, 1);
        assert!(Yaml::parse("a:\n\t- b: 'c").is_err());
    }

    #[test]
    fn brackets_may_close_below_their_key() {
        let text =
            "a:\n  b: [\n    x, # y\n  ]\n  c: {\n  d: 1,\n'e': 2\n  }\n  f:\n    [\n  g\n    ]\n";
        assert_eq!(get(text, &["a", "c", "d"]), Some(("1".into(), 6)));
        assert_eq!(get(text, &["a", "c", "e"]), Some(("2".into(), 7)));
        let yaml = Yaml::parse(text).unwrap();
        let all = yaml.root().unwrap().get("a").unwrap();
        let words = |key: &str| -> Vec<String> {
            all.get(key).unwrap().items().map(|item| item.text().unwrap().to_owned()).collect()
        };
        assert_eq!((words("b"), words("f")), (vec!["x".into()], vec!["g".into()]));
        // Outside of brackets what stands wrong is wrong.
        assert!(Yaml::parse("a:\n    b: 1\n  c: 2\n").is_err());
    }

    #[test]
    fn aliases_of_aliases_cost_what_they_weigh() {
        let mut text = String::from("a0: &a0 [x, x]\n");
        for n in 1..200 {
            let line = format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", "));
            text.push_str(&line);
        }
        assert!(Yaml::parse(&text).unwrap().nodes.len() < 1000);
        let own = "a: &a\n  <<: *a\n  b: [*a, *a]\n";
        assert_eq!(get(own, &["a", "missing"]), None);
    }

    #[test]
    fn deep_and_long_files_end_soon() {
        for (part, count) in [
            ("[", 200_000),
            ("{a: ", 60_000),
            ("- ", 120_000),
            ("? ", 120_000),
            ("&a ", 80_000),
            ("a:\n", 80_000),
            ("'", 200_000),
            ("!!", 99_999),
            ("- a\n", 60_000),
        ] {
            let _ = Yaml::parse(&part.repeat(count));
        }
        let long = "- a\n".repeat(NODES_MAX);
        assert!(Yaml::parse(&long).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[ -~\n\t&*:!{}\\[\\]'\"é-]{0,120}") {
            if let Ok(yaml) = Yaml::parse(&text)
                && let Some(root) = yaml.root()
            {
                let _ = (root.get("services"), root.items().count(), root.entries().count());
            }
        }
    }
}
