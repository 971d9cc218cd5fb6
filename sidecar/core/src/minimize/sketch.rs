//! Pointers put together to a tree, before it is made fast to walk.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::pointer::Token;
use crate::{Protection, Treatment};

/// A pointer's tokens, as trees are built from them.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // they are independent of each other
pub struct Sketch {
    pub members: BTreeMap<Vec<u8>, Sketch>,
    pub star: Option<Box<Sketch>>,
    pub leaf: bool,
    pub subtree: bool,
    pub protection: Option<Arc<Protection>>,
    pub is_subject: bool,
    /// Nothing passes here, whatever stars and subtrees say.
    dropped: bool,
}

impl Sketch {
    /// Adds a pointer.
    pub fn add(&mut self, tokens: &[Token], treatment: &Treatment) {
        match tokens {
            [] => {
                self.leaf |= treatment.passes;
                self.dropped |= !treatment.passes && !treatment.is_subject;
                self.is_subject |= treatment.is_subject;
                if treatment.protection.is_some() {
                    self.protection.clone_from(&treatment.protection);
                }
            }
            [Token::Rest, ..] => {
                self.leaf = true;
                self.subtree = true;
            }
            [Token::Star, rest @ ..] => self.star.get_or_insert_default().add(rest, treatment),
            [Token::Name(name), rest @ ..] => self.members.entry(name.clone()).or_default().add(rest, treatment),
        }
    }

    /// Makes every named member hold what its star would have given it, and every subtree that has members of its own
    /// a star that lets everything through.
    pub fn settle(&mut self) {
        if self.dropped {
            // Who drops a field and lets all below it pass says two things: the narrower one counts.
            self.leaf = false;
            self.subtree = false;
        }
        if self.subtree && (self.star.is_some() || !self.members.is_empty()) {
            self.subtree = false;
            self.star.get_or_insert_default().merge(&Self { leaf: true, subtree: true, ..Self::default() });
        }
        if let Some(star) = &self.star {
            for member in self.members.values_mut() {
                member.merge(star);
            }
        }
        self.members.values_mut().chain(self.star.as_deref_mut()).for_each(Self::settle);
    }

    /// Adds what another sketch lets through; a field that is to be changed or dropped stays so.
    fn merge(&mut self, other: &Self) {
        if self.protection.is_some() || self.dropped {
            return;
        }
        if !self.leaf {
            self.protection.clone_from(&other.protection);
        }
        self.leaf |= other.leaf;
        self.subtree |= other.subtree;
        self.is_subject |= other.is_subject;
        for (name, below) in &other.members {
            self.members.entry(name.clone()).or_default().merge(below);
        }
        if let Some(star) = &other.star {
            self.star.get_or_insert_default().merge(star);
        }
    }
}
