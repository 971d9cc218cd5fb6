//! Messages in a row as gRPC sends them: each behind a flag and its length (gRPC over HTTP/2, "Length-Prefixed-Message").

use super::message::MessageFilter;
use crate::Refusal;

/// Bytes before a message: one that says whether it is compressed, four of length, the highest first.
const PREFIX: usize = 5;

/// Filters a body of messages, each of which passes as soon as it is complete.
#[derive(Debug)]
pub struct GrpcFilter {
    messages: MessageFilter,
    /// Bytes of the longest message.
    most: usize,
    /// The message at hand with its prefix, as far as it has come.
    held: Vec<u8>,
}

impl GrpcFilter {
    /// A filter for one body, none of whose messages is longer than `most` bytes.
    #[must_use]
    pub fn new(messages: MessageFilter, most: usize) -> Self {
        Self { messages, most, held: Vec::new() }
    }

    /// Takes in the next chunk and appends what passes of complete messages to `out`.
    ///
    /// # Errors
    ///
    /// [`Refusal::ContentEncoding`] for a compressed message, [`Refusal::BodySize`] for one beyond the limit, and what
    /// [`MessageFilter::filter`] fails with; messages that were appended before stand.
    pub fn feed(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        while !chunk.is_empty() {
            let end = self.end()?.unwrap_or(PREFIX);
            let (part, rest) = chunk.split_at(chunk.len().min(end - self.held.len()));
            self.held.extend_from_slice(part);
            chunk = rest;
            if self.end()? == Some(self.held.len()) {
                self.message(out)?;
                self.held.clear();
            }
        }
        Ok(())
    }

    /// Ends the body.
    ///
    /// # Errors
    ///
    /// [`Refusal::Truncated`] where the last message is not complete.
    pub fn finish(&self) -> Result<(), Refusal> {
        if self.held.is_empty() { Ok(()) } else { Err(Refusal::Truncated) }
    }

    /// The data subject, where the messages so far name one and no other.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.messages.subject()
    }

    /// Where the message at hand ends in what is held, once its prefix is there.
    fn end(&self) -> Result<Option<usize>, Refusal> {
        match *self.held.as_slice() {
            [0, a, b, c, d, ..] => {
                let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).map_err(|_| Refusal::BodySize)?;
                if length > self.most { Err(Refusal::BodySize) } else { Ok(Some(PREFIX + length)) }
            }
            [] | [0, ..] => Ok(None),
            [1, ..] => Err(Refusal::ContentEncoding),
            _ => Err(Refusal::Syntax),
        }
    }

    fn message(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let start = out.len();
        out.extend_from_slice(&[0; PREFIX]);
        let filtered = self.messages.filter(&self.held[PREFIX..], out).and_then(|()| {
            let length = u32::try_from(out.len() - start - PREFIX).map_err(|_| Refusal::BodySize)?;
            out[start + 1..start + PREFIX].copy_from_slice(&length.to_be_bytes());
            Ok(())
        });
        filtered.inspect_err(|_| out.truncate(start))
    }
}
