//! Which fields pass: an allow-list of JSON Pointers (RFC 6901), made into a tree that is walked along a document.
//!
//! A pointer names a leaf. In it `*` stands for one level (every element of an array, every name of a map), `/**` at
//! the end for everything below, and `~2` for a literal star; `~0` and `~1` are those of the RFC. What `*` lets
//! through also passes under a name that stands beside it, so the tree never has to try two ways: every named member
//! holds what its star would have given it.

use std::sync::Arc;

use super::container::Fate;
use super::names::Names;
use super::pointer::{PointerError, Token, tokens};
use super::sketch::Sketch;
use crate::Protection;

/// A node of the tree, by its place in [`Selection::nodes`].
pub type NodeId = u32;

/// A node that a name leads to, and the place of the name among its parent's members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: NodeId,
    /// [`Member::STARRED`] where a star let it in.
    pub(crate) place: u32,
    /// What becomes of a single value there.
    pub(crate) single: Fate,
}

impl Member {
    pub(crate) const STARRED: u32 = u32::MAX;
    /// A member of a container that passes whole: no node leads there.
    pub(crate) const PASSES: Self = Self { id: NodeId::MAX, place: Self::STARRED, single: Fate::Passes };
}

/// What is to be done with the value that a pointer names.
#[derive(Clone, Debug, Default)]
pub struct Treatment {
    /// Whether the value passes.
    pub passes: bool,
    /// How it is changed before it does.
    pub protection: Option<Arc<Protection>>,
    /// Whether it names the data subject, so that it is kept for whoever asks the filter.
    pub is_subject: bool,
}

impl Treatment {
    /// The value passes as it is.
    pub const PASS: Self = Self { passes: true, protection: None, is_subject: false };
}

/// An allow-list of fields.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    nodes: Vec<Node>,
    is_empty: bool,
    seeks_subject: bool,
    encrypts: bool,
}

#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // they are independent of each other
pub(crate) struct Node {
    members: Names,
    star: Option<NodeId>,
    /// A single value passes here.
    pub(crate) leaf: bool,
    /// Everything passes from here on.
    pub(crate) subtree: bool,
    /// A single value here is more than passed or dropped.
    pub(crate) watched: bool,
    pub(crate) protection: Option<Arc<Protection>>,
    pub(crate) is_subject: bool,
}

impl Selection {
    /// The allow-list of these pointers; none of them lets nothing through.
    ///
    /// # Errors
    ///
    /// [`PointerError`] for a text that does not begin with a slash, holds an unknown escape, or goes on after `**`.
    pub fn new<'p>(pointers: impl IntoIterator<Item = &'p str>) -> Result<Self, PointerError> {
        Self::with(pointers.into_iter().map(|pointer| (pointer, Treatment::PASS)))
    }

    /// The allow-list of these pointers, with what is to be done with each.
    ///
    /// # Errors
    ///
    /// [`PointerError`] as for [`Selection::new`], and for a pointer to more than one value that is to be changed.
    pub fn with<'p>(pointers: impl IntoIterator<Item = (&'p str, Treatment)>) -> Result<Self, PointerError> {
        let mut root = Sketch::default();
        for (pointer, treatment) in pointers {
            let tokens = tokens(pointer)?;
            let wrong = |reason| PointerError::new(pointer, reason);
            if treatment.protection.is_some() || treatment.is_subject {
                match tokens.last() {
                    None => return Err(wrong("what is watched for is a field, not the document")),
                    Some(Token::Rest) => {
                        return Err(wrong("a subtree passes as it is: name the field that is changed"));
                    }
                    Some(_) => {}
                }
            }
            root.add(&tokens, &treatment);
        }
        root.settle();
        let mut selection = Self::default();
        selection.place(&root);
        selection.is_empty = selection.nodes.iter().all(|node| !node.leaf && !node.subtree);
        selection.seeks_subject = selection.nodes.iter().any(|node| node.is_subject);
        selection.encrypts =
            selection.nodes.iter().any(|node| matches!(node.protection.as_deref(), Some(Protection::Encrypt(_))));
        Ok(selection)
    }

    /// Whether a value is encrypted for a data subject whom the document itself names, maybe only after that value.
    #[must_use]
    pub fn needs_subject_first(&self) -> bool {
        self.encrypts && self.seeks_subject
    }

    /// Whether nothing at all passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Whether it asks for the data subject.
    #[must_use]
    pub fn seeks_subject(&self) -> bool {
        self.seeks_subject
    }

    pub(crate) const ROOT: NodeId = 0;

    #[inline]
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// What may pass under a name of an object.
    #[inline]
    pub(crate) fn member(&self, id: NodeId, name: &[u8]) -> Option<Member> {
        let node = self.node(id);
        match node.members.get(name) {
            Some(entry) => entry.member,
            None => node.star.map(|id| self.led_to(id, Member::STARRED)),
        }
    }

    fn led_to(&self, id: NodeId, place: u32) -> Member {
        Member { id, place, single: self.single(id) }
    }

    /// What becomes of a single value at a node.
    #[inline]
    pub(crate) fn single(&self, id: NodeId) -> Fate {
        let node = self.node(id);
        if node.watched {
            Fate::Watched(id)
        } else if node.leaf || node.subtree {
            Fate::Passes
        } else {
            Fate::Dropped
        }
    }

    /// What may pass in an array. A name never stands for a place: places shift when others are dropped.
    #[inline]
    pub(crate) fn element(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).star
    }

    /// How the value at a path is changed, for explanations; `None` in the path stands for an element of an array.
    #[must_use]
    pub fn protection<'n>(&self, path: impl IntoIterator<Item = Option<&'n [u8]>>) -> Option<&Protection> {
        let mut id = Self::ROOT;
        for step in path {
            id = match step {
                Some(name) => self.member(id, name)?.id,
                None => self.element(id)?,
            };
        }
        self.node(id).protection.as_deref()
    }

    fn place(&mut self, sketch: &Sketch) -> NodeId {
        let id = self.nodes.len();
        self.nodes.push(Node {
            leaf: sketch.leaf,
            subtree: sketch.subtree,
            watched: sketch.protection.is_some() || sketch.is_subject,
            protection: sketch.protection.clone(),
            is_subject: sketch.is_subject,
            ..Node::default()
        });
        let members = sketch.members.iter().zip(0..).map(|((name, below), place)| {
            let id = self.place(below);
            // What is dropped by name is as good as undeclared: it may stand twice, for one.
            let member = (!self.node(id).is_barren()).then(|| self.led_to(id, place));
            (name.clone().into_boxed_slice(), member)
        });
        let members = members.collect();
        let star = sketch.star.as_deref().map(|below| self.place(below));
        self.nodes[id].members = Names::new(members);
        self.nodes[id].star = star;
        NodeId::try_from(id).unwrap_or(NodeId::MAX)
    }
}

impl Node {
    /// Whether nothing passes here or below, and nobody asks for what stands here.
    #[inline]
    fn is_barren(&self) -> bool {
        !self.leaf && !self.subtree && !self.watched && !self.is_inner()
    }

    /// Whether anything can pass inside a container.
    #[inline]
    pub(crate) fn is_inner(&self) -> bool {
        !self.members.is_empty() || self.star.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(pointers: &[&str], path: &[&str]) -> bool {
        let selection = Selection::new(pointers.iter().copied()).unwrap();
        let mut id = Selection::ROOT;
        for name in path {
            if selection.node(id).subtree {
                return true;
            }
            match selection.member(id, name.as_bytes()) {
                None => return false,
                Some(member) => id = member.id,
            }
        }
        selection.node(id).leaf
    }

    #[test]
    fn a_pointer_lets_its_own_leaf_through_and_no_other() {
        assert!(passes(&["/customer/id"], &["customer", "id"]));
        for path in [&["customer"][..], &["id"], &["customer", "name"], &["customer", "id", "more"], &[]] {
            assert!(!passes(&["/customer/id"], path), "{path:?}");
        }
    }

    #[test]
    fn a_field_that_is_dropped_or_changed_by_name_stays_so_in_a_subtree_that_passes() {
        let mask = Treatment { protection: Some(Arc::new(Protection::Mask)), ..Treatment::PASS };
        let rules = [
            ("/**", Treatment::PASS),
            ("/a/note", Treatment::default()),
            ("/a/note/**", Treatment::PASS),
            ("/*/iban", mask),
        ];
        let selection = Selection::with(rules).unwrap();
        let at = |path: &[&str]| {
            path.iter()
                .try_fold(Selection::ROOT, |id, name| selection.member(id, name.as_bytes()).map(|found| found.id))
        };
        assert_eq!(at(&["a", "note"]), None);
        for path in [&["a", "iban"][..], &["b", "iban"]] {
            let iban = selection.node(at(path).unwrap());
            assert!(iban.protection.is_some() && !iban.subtree && !iban.is_inner(), "{path:?}");
        }
        assert!(selection.node(at(&["a", "other"]).unwrap()).subtree);
        assert!(selection.node(at(&["b", "note"]).unwrap()).subtree);
    }

    #[test]
    fn a_star_is_one_level_and_two_are_all() {
        assert!(passes(&["/a/*/b"], &["a", "any", "b"]));
        assert!(!passes(&["/a/*/b"], &["a", "any", "other", "b"]));
        assert!(passes(&["/a/**"], &["a", "any", "other", "b"]));
        assert!(!passes(&["/a/**"], &["b"]));
    }

    #[test]
    fn a_name_beside_a_star_passes_what_either_lets_through() {
        let both = ["/m/*/sku", "/m/first/price", "/m/*/*/deep", "/m/first/x/y"];
        assert!(passes(&both, &["m", "first", "sku"]));
        assert!(passes(&both, &["m", "first", "price"]));
        assert!(!passes(&both, &["m", "second", "price"]));
        assert!(passes(&both, &["m", "first", "x", "deep"]));
        assert!(passes(&both, &["m", "first", "x", "y"]));
    }

    #[test]
    fn the_protection_at_a_path_is_the_one_that_the_filter_applies() {
        let mask = || Treatment { protection: Some(Arc::new(Protection::Mask)), ..Treatment::PASS };
        let selection = Selection::with([("/a/*/b", mask()), ("/a/first/c", Treatment::PASS)]).unwrap();
        let at = |path: &[Option<&str>]| {
            selection.protection(path.iter().map(|step| step.map(str::as_bytes))).map(Protection::name)
        };
        assert_eq!(at(&[Some("a"), None, Some("b")]), Some("mask"));
        assert_eq!(at(&[Some("a"), Some("first"), Some("b")]), Some("mask"));
        for path in [&[Some("a"), Some("first"), Some("c")][..], &[Some("a")], &[Some("x")], &[None], &[]] {
            assert_eq!(at(path), None, "{path:?}");
        }
    }

    #[test]
    fn escapes_are_those_of_the_rfc_and_one_for_the_star() {
        assert!(passes(&["/a~1b/m~0n/~2"], &["a/b", "m~n", "*"]));
        assert!(!passes(&["/~2"], &["other"]));
        assert!(passes(&["/"], &[""]));
        assert!(passes(&[""], &[]));
    }

    #[test]
    fn what_is_no_pointer_is_refused_with_its_reason() {
        for (text, reason) in [("a", "slash"), ("/a~", "after ~"), ("/a~3", "after ~"), ("/**/a", "** ends")] {
            let error = Selection::new([text]).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_star_stands_for_every_element_of_an_array_and_a_number_for_none() {
        assert_eq!(Selection::new(["/1"]).unwrap().element(0), None);
        assert!(Selection::new(["/*"]).unwrap().element(0).is_some());
    }
}
