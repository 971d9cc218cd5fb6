//! The reference of the differential test: a parser by the book (RFC 8259) that makes a tree, and a filter that asks
//! every pointer about every path. Slow, recursive, with everything in memory.

/// A value with the bytes that it was written with.
enum Value<'b> {
    Scalar(&'b [u8]),
    Array(Vec<Value<'b>>),
    /// Names as written and as meant, in order.
    Object(Vec<(&'b [u8], String, Value<'b>)>),
}

#[derive(Clone)]
enum Token {
    Name(String),
    Star,
    Rest,
}

/// A name in an object; nothing for a place in an array.
type Step = Option<String>;

/// What passes of a body; `None` where the body is refused.
pub fn filtered(pointers: &[String], body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut parser = Parser { text, at: 0 };
    parser.white_space();
    let document = parser.value()?;
    parser.white_space();
    if parser.at != text.len() {
        return None;
    }
    let pointers: Vec<Vec<Token>> = pointers.iter().map(|pointer| tokens(pointer)).collect();
    let mut out = Vec::new();
    let mut path = Vec::new();
    if let Value::Scalar(raw) = document {
        out.extend_from_slice(raw);
        return may_pass_whole(&pointers, &path).then_some(out);
    }
    if !is_prefix(&pointers, &path) {
        return None;
    }
    write(&document, &pointers, &mut path, &mut out)?;
    Some(out)
}

fn tokens(pointer: &str) -> Vec<Token> {
    pointer
        .split('/')
        .skip(1)
        .map(|part| match part {
            "*" => Token::Star,
            "**" => Token::Rest,
            name => Token::Name(name.replace("~2", "*").replace("~1", "/").replace("~0", "~")),
        })
        .collect()
}

fn matches(token: &Token, step: &Step) -> bool {
    match token {
        Token::Name(known) => step.as_ref() == Some(known),
        Token::Star => true,
        Token::Rest => false,
    }
}

/// Whether a pointer ends in `**` at or above this path.
fn is_below_rest(pointers: &[Vec<Token>], path: &[Step]) -> bool {
    pointers.iter().any(|pointer| {
        let above = &pointer[..pointer.len().saturating_sub(1)];
        matches!(pointer.last(), Some(Token::Rest))
            && above.len() <= path.len()
            && above.iter().zip(path).all(|(token, step)| matches(token, step))
    })
}

/// Whether a single value passes at this path.
fn may_pass_whole(pointers: &[Vec<Token>], path: &[Step]) -> bool {
    is_below_rest(pointers, path)
        || pointers.iter().any(|pointer| {
            pointer.len() == path.len() && pointer.iter().zip(path).all(|(token, step)| matches(token, step))
        })
}

/// Whether something may pass below this path.
fn is_prefix(pointers: &[Vec<Token>], path: &[Step]) -> bool {
    is_below_rest(pointers, path)
        || pointers.iter().any(|pointer| {
            pointer.len() > path.len() && pointer.iter().zip(path).all(|(token, step)| matches(token, step))
        })
}

fn passes(value: &Value<'_>, pointers: &[Vec<Token>], path: &[Step]) -> bool {
    match value {
        Value::Scalar(_) => may_pass_whole(pointers, path),
        _ => is_prefix(pointers, path),
    }
}

fn write(value: &Value<'_>, pointers: &[Vec<Token>], path: &mut Vec<Step>, out: &mut Vec<u8>) -> Option<()> {
    let mut first = true;
    let mut comma = |out: &mut Vec<u8>| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
    };
    match value {
        Value::Scalar(raw) => out.extend_from_slice(raw),
        Value::Array(elements) => {
            out.push(b'[');
            for element in elements {
                path.push(None);
                if passes(element, pointers, path) {
                    comma(out);
                    write(element, pointers, path, out)?;
                }
                path.pop();
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            let mut seen = Vec::new();
            for (raw, name, member) in members {
                path.push(Some(name.clone()));
                let declared = may_pass_whole(pointers, path) || is_prefix(pointers, path);
                if declared && seen.contains(&name) {
                    return None;
                }
                seen.push(name);
                if passes(member, pointers, path) {
                    comma(out);
                    out.extend_from_slice(raw);
                    out.push(b':');
                    write(member, pointers, path, out)?;
                }
                path.pop();
            }
            out.push(b'}');
        }
    }
    Some(())
}

struct Parser<'b> {
    text: &'b str,
    at: usize,
}

impl<'b> Parser<'b> {
    fn rest(&self) -> &'b [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or(&[])
    }

    fn white_space(&mut self) {
        while matches!(self.rest().first(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.rest().first() == Some(&byte)).then(|| self.at += 1)
    }

    fn value(&mut self) -> Option<Value<'b>> {
        let start = self.at;
        match self.rest().first()? {
            b'{' => return self.object(),
            b'[' => return self.array(),
            b'"' => drop(self.string()?),
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            _ => self.number()?,
        }
        Some(Value::Scalar(&self.text.as_bytes()[start..self.at]))
    }

    fn object(&mut self) -> Option<Value<'b>> {
        self.take(b'{')?;
        self.white_space();
        let mut members = Vec::new();
        if self.take(b'}').is_some() {
            return Some(Value::Object(members));
        }
        loop {
            let start = self.at;
            let name = self.string()?;
            let raw = &self.text.as_bytes()[start..self.at];
            self.white_space();
            self.take(b':')?;
            self.white_space();
            members.push((raw, name, self.value()?));
            self.white_space();
            if self.take(b'}').is_some() {
                return Some(Value::Object(members));
            }
            self.take(b',')?;
            self.white_space();
        }
    }

    fn array(&mut self) -> Option<Value<'b>> {
        self.take(b'[')?;
        self.white_space();
        let mut elements = Vec::new();
        if self.take(b']').is_some() {
            return Some(Value::Array(elements));
        }
        loop {
            elements.push(self.value()?);
            self.white_space();
            if self.take(b']').is_some() {
                return Some(Value::Array(elements));
            }
            self.take(b',')?;
            self.white_space();
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.rest().starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    fn digits(&mut self) -> Option<()> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        (count > 0).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if self.take(b'e').or_else(|| self.take(b'E')).is_some() {
            let _ = self.take(b'+').or_else(|| self.take(b'-'));
            self.digits()?;
        }
        Some(())
    }

    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.take(b'"')?;
        loop {
            match self.rest().first()? {
                b'"' => break,
                b'\\' => self.at += 2,
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        if self.at > self.text.len() {
            return None;
        }
        // What the characters mean is not what this test is about.
        serde_json::from_slice(&self.text.as_bytes()[start..self.at]).ok()
    }
}
