//! A bounded table that forgets what was not used for long: two generations, of which the older is dropped when the
//! newer is full. Holds at most twice its bound. Never reads a clock.

use std::collections::BTreeMap;

/// The table.
#[derive(Debug)]
pub(crate) struct Aging<K, V> {
    newer: BTreeMap<K, V>,
    older: BTreeMap<K, V>,
    /// The most entries of one generation.
    max: usize,
}

impl<K: Ord, V> Aging<K, V> {
    /// An empty table of at most `max` entries in each generation.
    pub(crate) fn new(max: usize) -> Self {
        Self { newer: BTreeMap::new(), older: BTreeMap::new(), max }
    }

    /// The value, if it is still there.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.newer.get(key).or_else(|| self.older.get(key))
    }

    /// Sets a value.
    pub(crate) fn put(&mut self, key: K, value: V) {
        self.older.remove(&key);
        if self.newer.len() >= self.max && !self.newer.contains_key(&key) {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(key, value);
    }

    /// Forgets a value.
    pub(crate) fn remove(&mut self, key: &K) {
        self.newer.remove(key);
        self.older.remove(key);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.newer.len() + self.older.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let mut table = Aging::new(10);
        table.put(0, 'a');
        for n in 1..1000 {
            let a = *table.get(&0).unwrap();
            table.put(0, a);
            table.put(n, 'b');
            assert!(table.len() <= 20);
        }
        assert_eq!(table.get(&0), Some(&'a'));
        assert_eq!(table.get(&1), None);
        assert_eq!(table.get(&999), Some(&'b'));
        table.remove(&999);
        assert_eq!(table.get(&999), None);
    }
}
