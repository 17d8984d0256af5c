//! An ordered map that remembers older versions for as long as somebody may look at them.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
};

use crate::{Key, Val};

/// Rows with the versions at which they changed, oldest first; `None` marks a removal.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    rows: BTreeMap<Key, Vec<(u64, Option<Val>)>>,
    /// Changes that left something behind to forget, in the order of their versions.
    stale: VecDeque<(u64, Key)>,
}

impl Table {
    pub(super) fn get(&self, key: &[u8], at: u64) -> Option<&Val> {
        seen(self.rows.get(key)?, at)
    }

    pub(super) fn set(&mut self, key: Key, value: Option<Val>, version: u64) {
        let history = self.rows.entry(key.clone()).or_default();
        match history.last_mut() {
            Some((last, old)) if *last == version => *old = value,
            None if value.is_none() => {
                self.rows.remove(&key);
                return;
            }
            _ => history.push((version, value)),
        }
        if history.len() > 1 || matches!(history.last(), Some((_, None))) {
            self.stale.push_back((version, key));
        }
    }

    /// The pairs with `from <= key < to` as of a version.
    pub(super) fn range<'a>(
        &'a self,
        from: &[u8],
        to: &[u8],
        at: u64,
    ) -> impl DoubleEndedIterator<Item = (&'a Key, &'a Val)> {
        // An empty or backward range must not reach BTreeMap, which panics on it.
        let (from, to) = if from < to { (from, to) } else { (&[][..], &[][..]) };
        self.rows
            .range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)))
            .filter_map(move |(key, history)| Some((key, seen(history, at)?)))
    }

    /// Forgets what nobody can see who looks at version `floor` or later.
    pub(super) fn forget_before(&mut self, floor: u64) {
        while self.stale.front().is_some_and(|(version, _)| *version <= floor) {
            let Some((_, key)) = self.stale.pop_front() else { return };
            let Some(history) = self.rows.get_mut(&key) else { continue };
            let older = history.iter().take_while(|(version, _)| *version <= floor).count();
            history.drain(..older.saturating_sub(1));
            if matches!(history.as_slice(), [(version, None)] if *version <= floor) {
                self.rows.remove(&key);
            }
        }
    }

    /// Undoes everything after a version.
    pub(super) fn roll_back(&mut self, to: u64) {
        self.rows.retain(|_, history| {
            history.retain(|(version, _)| *version <= to);
            !history.is_empty()
        });
        self.stale.retain(|(version, _)| *version <= to);
    }

    #[cfg(test)]
    pub(super) fn rows_kept(&self) -> usize {
        self.rows.values().map(Vec::len).sum()
    }
}

fn seen(history: &[(u64, Option<Val>)], at: u64) -> Option<&Val> {
    history.iter().rev().find(|(version, _)| *version <= at)?.1.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_versions_stay_until_they_are_forgotten() {
        let mut table = Table::default();
        table.set(b"k".to_vec(), Some(b"1".to_vec()), 1);
        table.set(b"k".to_vec(), Some(b"2".to_vec()), 2);
        table.set(b"k".to_vec(), None, 3);
        assert_eq!(table.get(b"k", 0), None);
        assert_eq!(table.get(b"k", 1).map(Vec::as_slice), Some(&b"1"[..]));
        assert_eq!(table.get(b"k", 2).map(Vec::as_slice), Some(&b"2"[..]));
        assert_eq!(table.get(b"k", 9), None);
        table.forget_before(2);
        assert_eq!(table.get(b"k", 2).map(Vec::as_slice), Some(&b"2"[..]));
        assert_eq!(table.rows_kept(), 2);
        table.forget_before(3);
        assert_eq!(table.rows_kept(), 0);
    }

    #[test]
    fn rolling_back_restores_what_was_removed() {
        let mut table = Table::default();
        table.set(b"k".to_vec(), Some(b"1".to_vec()), 1);
        table.set(b"k".to_vec(), None, 2);
        table.set(b"new".to_vec(), Some(b"x".to_vec()), 2);
        table.roll_back(1);
        assert_eq!(table.get(b"k", 9).map(Vec::as_slice), Some(&b"1"[..]));
        assert_eq!(table.get(b"new", 9), None);
    }

    #[test]
    fn backward_ranges_are_empty() {
        let mut table = Table::default();
        table.set(b"k".to_vec(), Some(b"1".to_vec()), 1);
        assert_eq!(table.range(b"z", b"a", 9).count(), 0);
        assert_eq!(table.range(b"k", b"k", 9).count(), 0);
        assert_eq!(table.range(b"a", b"z", 9).count(), 1);
    }
}
