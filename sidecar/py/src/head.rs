//! The head of a message: its headers, of which the declared pass.

use lawflow_core::{Direction, HeaderFate, HeaderRules, Refusal, Values};

/// A name and a value.
pub type Pair = (String, String);

/// Headers in the order in which they came, their names in lower case as HTTP/2 has them.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// Those that pass so far.
    pub headers: Vec<Pair>,
    /// Those that went, and why.
    pub dropped: Vec<(String, &'static str)>,
    /// Those that pass with another value, and the protection that made it.
    pub changed: Vec<(String, &'static str)>,
}

impl Head {
    pub fn new(headers: Vec<Pair>) -> Self {
        let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        Self { headers, ..Self::default() }
    }

    /// The first value of a name, and how many there are.
    pub fn values(&self, name: &str) -> Values<'_> {
        let mut values = self.headers.iter().filter(|header| header.0 == name);
        let first = values.next()?.1.as_bytes();
        Some((first, 1 + values.count()))
    }

    pub fn set(&mut self, name: &str, value: &str) {
        let Some(place) = self.headers.iter().position(|header| header.0 == name) else {
            self.headers.push((name.to_owned(), value.to_owned()));
            return;
        };
        let mut number = 0;
        self.headers.retain(|header| {
            number += 1;
            header.0 != name || number == place + 1
        });
        if let Some(header) = self.headers.get_mut(place) {
            value.clone_into(&mut header.1);
        }
    }

    /// Takes a header away, for a reason that is told.
    pub fn remove(&mut self, name: &str, reason: &'static str) {
        let before = self.headers.len();
        self.headers.retain(|header| header.0 != name);
        if self.headers.len() < before {
            self.dropped.push((name.to_owned(), reason));
        }
    }

    /// Lets the declared headers stand, changed where their flow asks for it.
    pub fn filter(&mut self, rules: &HeaderRules, direction: Direction, subject: Option<&str>) -> Result<(), Refusal> {
        let mut passing: Vec<Pair> = Vec::new();
        for (name, value) in std::mem::take(&mut self.headers) {
            match rules.fate(direction, name.as_bytes(), value.as_bytes()) {
                HeaderFate::Passes => passing.push((name, value)),
                HeaderFate::Becomes(left) => passing.push((name, left)),
                HeaderFate::Refused(refusal) => return Err(refusal),
                HeaderFate::Dropped => {
                    if !self.dropped.iter().any(|each| each.0 == name) {
                        self.dropped.push((name, "undeclared"));
                    }
                }
                HeaderFate::Protected(protection) => {
                    let value = protection.protect(&value, subject)?;
                    if let Some((_, values)) = passing.iter_mut().find(|each| each.0 == name) {
                        // Several values of one header are one list (RFC 9110, section 5.3).
                        values.push_str(", ");
                        values.push_str(&value);
                    } else {
                        self.changed.push((name.clone(), protection.name()));
                        passing.push((name, value));
                    }
                }
            }
        }
        self.headers = passing;
        Ok(())
    }
}
