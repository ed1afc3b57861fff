//! A checker for the part of JSON Schema that the committed schemas use. It is stricter than the
//! standard: a property that the schema neither names nor allows is a fault.
#![allow(dead_code)]

use serde_json::Value;

const SCHEMA: &str = include_str!("../../schema/control.schema.json");

pub(crate) struct Schema(Value, Matches);

/// Whether a text fits a pattern: a checker of patterns is its user's to bring.
pub(crate) type Matches = fn(pattern: &str, text: &str) -> bool;

impl Schema {
    pub(crate) fn committed() -> Schema {
        Schema::of(SCHEMA, |pattern, _| panic!("no pattern is expected: {pattern}"))
    }

    pub(crate) fn of(text: &str, matches: Matches) -> Schema {
        Schema(serde_json::from_str(text).unwrap(), matches)
    }

    /// The document as a whole.
    pub(crate) fn check_all(&self, document: &Value) -> Result<(), String> {
        self.check(&self.0, document)
    }

    /// The schema itself.
    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0["$defs"].as_object().unwrap().keys().cloned().collect()
    }

    /// Fails the test unless the document fits the definition.
    pub(crate) fn assert_fits(&self, name: &str, document: &Value) {
        let definition = &self.0["$defs"][name];
        assert!(definition.is_object(), "no definition `{name}`");
        if let Err(fault) = self.check(definition, document) {
            panic!("not a {name}: {fault}\n{document:#}");
        }
    }

    fn check(&self, schema: &Value, document: &Value) -> Result<(), String> {
        let keywords = schema.as_object().ok_or("a schema is an object")?;
        for (keyword, value) in keywords {
            match keyword.as_str() {
                "$ref" => {
                    let name = value.as_str().and_then(|text| text.strip_prefix("#/$defs/"));
                    self.check(&self.0["$defs"][name.ok_or("an odd reference")?], document)?;
                }
                "type" => fits(has_type(document, value), document, value)?,
                "const" => fits(document == value, document, value)?,
                "enum" => fits(list(value).contains(document), document, value)?,
                "minimum" => fits(document.as_f64() >= value.as_f64(), document, value)?,
                "maximum" => fits(document.as_f64() <= value.as_f64(), document, value)?,
                "anyOf" => {
                    let faults: Vec<String> = list(value)
                        .iter()
                        .filter_map(|option| self.check(option, document).err())
                        .collect();
                    if faults.len() == list(value).len() {
                        return Err(format!("no alternative fits: {}", faults.join(" | ")));
                    }
                }
                "items" => {
                    for item in list(document) {
                        self.check(value, item)?;
                    }
                }
                "properties" | "additionalProperties" => {
                    self.check_properties(keywords, document)?;
                }
                "propertyNames" => {
                    for name in document.as_object().ok_or("not an object")?.keys() {
                        self.check(value, &Value::from(name.as_str()))?;
                    }
                }
                "pattern" => {
                    let (pattern, text) = (value.as_str(), document.as_str());
                    let does = pattern.zip(text).is_some_and(|(p, t)| self.1(p, t));
                    fits(does, document, value)?;
                }
                "minLength" => fits(length(document) >= value.as_u64(), document, value)?,
                "maxLength" => fits(length(document) <= value.as_u64(), document, value)?,
                "minItems" => {
                    fits(Some(list(document).len() as u64) >= value.as_u64(), document, value)?;
                }
                "required" => {
                    for name in list(value) {
                        let name = name.as_str().ok_or("a name is a text")?;
                        fits(document.get(name).is_some(), document, &Value::from(name))?;
                    }
                }
                "description" | "default" | "title" | "$schema" | "$defs" => {}
                other => return Err(format!("the checker does not know `{other}`")),
            }
        }
        Ok(())
    }
    fn check_properties(
        &self,
        schema: &serde_json::Map<String, Value>,
        document: &Value,
    ) -> Result<(), String> {
        for (name, property) in document.as_object().ok_or("not an object")? {
            let own = schema.get("properties").and_then(|known| known.get(name));
            let rest = schema.get("additionalProperties").filter(|rest| rest.is_object());
            let schema = own.or(rest).ok_or(format!("unknown property `{name}`"))?;
            self.check(schema, property).map_err(|fault| format!("{name}: {fault}"))?;
        }
        Ok(())
    }
}

fn length(document: &Value) -> Option<u64> {
    document.as_str().map(|text| text.chars().count() as u64)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn has_type(document: &Value, name: &Value) -> bool {
    match name.as_str() {
        Some("object") => document.is_object(),
        Some("array") => document.is_array(),
        Some("string") => document.is_string(),
        Some("integer") => document.is_i64() || document.is_u64(),
        Some("boolean") => document.is_boolean(),
        Some("null") => document.is_null(),
        _ => false,
    }
}

fn fits(does: bool, document: &Value, wanted: &Value) -> Result<(), String> {
    if does { Ok(()) } else { Err(format!("{document} does not fit {wanted}")) }
}
