//! NDJSON: a document a line, each filtered for itself.

use std::sync::Arc;

use super::json::JsonFilter;
use super::limits::Limits;
use crate::{Refusal, Selection};

/// Applies a [`Selection`] to every line of a body of newline-delimited JSON. Blank lines are dropped.
#[derive(Debug)]
pub struct LinesFilter {
    document: JsonFilter,
    subject: Option<Box<str>>,
}

impl LinesFilter {
    /// A filter for one body; the limits are those of a line.
    #[must_use]
    pub fn new(selection: Arc<Selection>, limits: Limits) -> Self {
        Self { document: JsonFilter::new(selection, limits), subject: None }
    }

    /// Names the data subject of the lines that do not name one themselves.
    pub fn set_subject(&mut self, subject: Option<&str>) {
        self.subject = subject.map(Box::from);
        self.document.set_subject(subject);
    }

    /// Takes in the next chunk and appends what passes to `out`.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; whole lines that were appended before stand, and the filter is of no more use.
    pub fn feed(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        // No document holds a line feed: in a string it would be a control character, and between tokens it ends the line.
        while let Some(end) = chunk.iter().position(|&byte| byte == b'\n') {
            self.document.feed(&chunk[..end], out)?;
            if self.document.has_begun() {
                self.document.finish()?;
                self.document.set_subject(self.subject.as_deref());
                out.push(b'\n');
            }
            chunk = &chunk[end + 1..];
        }
        self.document.feed(chunk, out)
    }

    /// Ends the body; the last line needs no line feed.
    ///
    /// # Errors
    ///
    /// [`Refusal::Truncated`] where the last line is not complete.
    pub fn finish(&mut self) -> Result<(), Refusal> {
        if self.document.has_begun() { self.document.finish() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(body: &str, cut: usize) -> Result<String, Refusal> {
        let selection = Selection::new(["/id"]).unwrap();
        let mut filter = LinesFilter::new(Arc::new(selection), Limits::default());
        let mut out = Vec::new();
        filter.feed(&body.as_bytes()[..cut], &mut out)?;
        filter.feed(&body.as_bytes()[cut..], &mut out)?;
        filter.finish()?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn at_every_cut(body: &str) -> Result<String, Refusal> {
        let whole = filtered(body, 0);
        for cut in 0..=body.len() {
            assert_eq!(filtered(body, cut), whole, "cut at {cut}");
        }
        whole
    }

    #[test]
    fn every_line_is_filtered_for_itself() {
        let body = "{\"id\":1,\"name\":\"x\"}\n{\"name\":\"y\"}\n{\"id\":\"3\"}\n";
        assert_eq!(at_every_cut(body).as_deref(), Ok("{\"id\":1}\n{}\n{\"id\":\"3\"}\n"));
    }

    #[test]
    fn the_last_line_may_lack_its_end_and_blank_lines_go() {
        assert_eq!(at_every_cut("\r\n{\"id\":1}\r\n  \n\n{\"id\":2}").as_deref(), Ok("{\"id\":1}\n{\"id\":2}"));
        assert_eq!(at_every_cut("").as_deref(), Ok(""));
    }

    #[test]
    fn a_name_may_stand_in_every_line_and_not_twice_in_one() {
        assert_eq!(at_every_cut("{\"id\":1,\"id\":2}\n"), Err(Refusal::DuplicateName));
    }

    #[test]
    fn a_document_over_two_lines_and_two_documents_on_one_are_refused() {
        assert_eq!(at_every_cut("{\"id\":\n1}\n"), Err(Refusal::Truncated));
        assert_eq!(at_every_cut("{\"id\":1} {\"id\":2}\n"), Err(Refusal::TrailingBytes));
        assert_eq!(at_every_cut("{\"id\":1}\n{\"id\""), Err(Refusal::Truncated));
    }
}
