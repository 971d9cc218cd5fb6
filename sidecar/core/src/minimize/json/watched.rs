//! Values that are held until they end, because they pass as others or name the data subject.

use std::sync::Arc;

use super::super::place::Here;
use super::super::selection::NodeId;
use super::super::string::{quoted, unescaped};
use super::JsonFilter;
use crate::Refusal;

impl JsonFilter {
    /// The end of a value that names the data subject, or that passes as another than it was. `null` says nothing of
    /// anybody and stays.
    #[cold]
    pub(super) fn watched_ended(&mut self, id: NodeId, at: usize, here: &mut Here<'_>) -> Result<(), Refusal> {
        self.watching = None;
        self.hold(&here.chunk[here.watched..at])?;
        let held = std::mem::take(&mut self.held);
        let (selection, is_null) = (Arc::clone(&self.selection), held == b"null");
        let node = selection.node(id);
        let inside = held.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        let meant = inside.map_or_else(|| held.clone(), unescaped);
        let text = String::from_utf8(meant).map_err(|_| Refusal::Encoding)?;
        if node.is_subject && !is_null {
            self.subject = Some(text.as_str().into());
        }
        if let (Some(protection), true) = (&node.protection, node.leaf) {
            if is_null {
                here.out.extend_from_slice(&held);
            } else {
                quoted(&protection.protect(&text, self.subject.as_deref())?, here.out);
            }
        }
        self.held = held;
        self.held.clear();
        Ok(())
    }

    pub(super) fn hold(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.held.extend_from_slice(bytes);
        if self.held.len() > self.limits.value_bytes { Err(Refusal::ValueLength) } else { Ok(()) }
    }
}
