//! Scopes: the name of the part of a model that an op belongs to, such as `blocks.0.attention`.

use crate::{Float, Tape};
use std::cell::RefCell;

/// A scope of one tape; a node stores this number and the tape knows its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Scope(u32);

/// The scopes that have been entered, by number, and the current one. Number 0 is the outermost, named "".
pub(crate) struct Scopes {
    names: Vec<String>,
    current: Scope,
}

impl Scopes {
    pub(crate) fn new() -> Self {
        Scopes { names: vec![String::new()], current: Scope(0) }
    }

    pub(crate) fn current(&self) -> Scope {
        self.current
    }

    pub(crate) fn name(&self, scope: Scope) -> &str {
        &self.names[scope.0 as usize]
    }

    /// Enters `name` within the current scope and returns the scope to come back to.
    pub(crate) fn enter(&mut self, name: &str) -> Scope {
        let outer = self.current;
        let full = match self.name(outer) {
            "" => name.to_owned(),
            outer => format!("{outer}.{name}"),
        };
        let known = self.names.iter().rposition(|known| *known == full);
        let number = known.unwrap_or_else(|| {
            self.names.push(full);
            self.names.len() - 1
        });
        self.current = Scope(number as u32);
        outer
    }

    pub(crate) fn leave_to(&mut self, outer: Scope) {
        self.current = outer;
    }
}

impl<T: Float> Tape<T> {
    /// Names what is computed while the returned guard lives: `let _scope = tape.scope("attention");`.
    /// Scopes nest: `blocks.0` and within it `attention` is `blocks.0.attention`.
    pub fn scope(&self, name: &str) -> ScopeGuard<'_> {
        let outer = self.scopes.borrow_mut().enter(name);
        ScopeGuard { scopes: &self.scopes, outer }
    }

    /// The full name of a scope.
    pub fn scope_name(&self, scope: Scope) -> String {
        self.scopes.borrow().name(scope).to_owned()
    }
}

/// Leaves the scope when it is dropped.
pub struct ScopeGuard<'t> {
    scopes: &'t RefCell<Scopes>,
    outer: Scope,
}

impl Drop for ScopeGuard<'_> {
    fn drop(&mut self) {
        self.scopes.borrow_mut().leave_to(self.outer);
    }
}
