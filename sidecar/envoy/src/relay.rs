//! The answer that the peer's sidecar wrote itself, on its way to the app.
//!
//! It bears a mark that Envoy takes from whatever an app or a host outside answers, so that nobody else can set it. What
//! passes is a problem document of ours and nothing beside.

use lawflow_core::Problem;

use crate::abi::raw::{BodyKind, HeaderKind};
use crate::abi::stream::Stream;
use crate::filter::Pass;
use crate::head::{Edits, Head};

/// More than any document of ours holds.
const MOST_BYTES: usize = 16 << 10;
const CONTENT_TYPE: &str = "content-type";
const GRPC_MESSAGE: &str = "grpc-message";

/// The document while it comes in.
pub struct Relay {
    held: Vec<u8>,
}

impl Relay {
    /// Begins with the head of a response that bears the mark; of it, only what the document needs stays.
    pub fn begin(head: &Head<'_>, edits: &mut Edits) -> Option<Self> {
        if head.first(CONTENT_TYPE) != Some((Problem::MEDIA_TYPE.as_bytes(), 1)) {
            return None;
        }
        let needed = |name: &[u8]| name.starts_with(b":") || name == CONTENT_TYPE.as_bytes();
        head.iter().filter(|(name, _)| !needed(name)).for_each(|(name, _)| edits.remove(name));
        Some(Self { held: Vec::new() })
    }

    /// Keeps the document in the head of a response that bears the mark and is all there is of a call of gRPC.
    pub fn keep_message(head: &Head<'_>, edits: &mut Edits) {
        let message = match head.first(GRPC_MESSAGE) {
            Some((text, 1)) if text.len() <= MOST_BYTES => Problem::relayed_message(text),
            _ => None,
        };
        if let Some(message) = message {
            edits.extend(GRPC_MESSAGE.as_bytes(), &message);
        }
    }

    /// A piece of the document, the last one where `end` says so. What is no document of ours does not pass.
    pub fn piece(&mut self, stream: &mut Stream<'_>, end: bool) -> Pass {
        let mut length = 0;
        for chunk in stream.chunks(BodyKind::ReceivedResponse) {
            length += chunk.len();
            let room = (MOST_BYTES + 1).saturating_sub(self.held.len());
            self.held.extend(chunk.iter().take(room));
        }
        let passes = if end && self.held.len() <= MOST_BYTES { Problem::relayed(&self.held) } else { None };
        let passes = passes.unwrap_or_default();
        stream.replace(BodyKind::ReceivedResponse, length, &passes);
        if !end {
            return Pass::Stop;
        }
        if passes.is_empty() {
            stream.remove_header(HeaderKind::Response, CONTENT_TYPE.as_bytes());
        }
        stream.set_header(HeaderKind::Response, b"content-length", passes.len().to_string().as_bytes());
        Pass::On
    }
}
