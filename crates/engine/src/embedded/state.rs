//! What the committer remembers between transactions, kept in one row that each of them rewrites.

use heed::RwTxn;

use super::{
    lmdb::{Lmdb, WriteError},
    segments::Position,
};
use crate::{Idem, Key, ReadError, keyspace, limits};

const KEY: &[u8] = &[keyspace::RESERVED, b'm'];

/// Idems are forgotten this many at a time.
const TRIM: usize = 256;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Of the newest batch.
    pub(super) version: u64,
    /// Up to here the segments were flushed when this was committed.
    pub(super) high_water: Position,
    /// How many idems are kept.
    idems: u64,
}

impl State {
    /// The state of an empty store when there is none yet.
    pub(super) fn load(lmdb: &Lmdb) -> Result<Self, ReadError> {
        let Some(row) = lmdb.get(&*lmdb.read()?, KEY)? else { return Ok(Self::default()) };
        Self::decode(&row).ok_or_else(|| ReadError::Corrupt("the store's own row cannot be read".into()))
    }

    pub(super) fn store(&self, lmdb: &Lmdb, txn: &mut RwTxn<'_>) -> Result<(), WriteError> {
        lmdb.put(txn, KEY, &self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        out.extend_from_slice(&self.version.to_be_bytes());
        out.extend_from_slice(&self.high_water.segment.to_be_bytes());
        out.extend_from_slice(&self.high_water.offset.to_be_bytes());
        out.extend_from_slice(&self.idems.to_be_bytes());
        out
    }

    fn decode(row: &[u8]) -> Option<Self> {
        let (version, row) = row.split_first_chunk::<8>()?;
        let (segment, row) = row.split_first_chunk::<4>()?;
        let (offset, row) = row.split_first_chunk::<4>()?;
        let (idems, _) = row.split_first_chunk::<8>()?;
        Some(Self {
            version: u64::from_be_bytes(*version),
            high_water: Position {
                segment: u32::from_be_bytes(*segment),
                offset: u32::from_be_bytes(*offset),
            },
            idems: u64::from_be_bytes(*idems),
        })
    }

    /// Keeps the idem of the batch that got the current version.
    pub(super) fn remember_idem(
        &mut self,
        lmdb: &Lmdb,
        txn: &mut RwTxn<'_>,
        idem: &Idem,
    ) -> Result<(), WriteError> {
        lmdb.put(txn, &keyspace::idem_key(idem), &self.version.to_be_bytes())?;
        lmdb.put(txn, &keyspace::idem_order_key(self.version), idem)?;
        self.idems += 1;
        Ok(())
    }

    /// Forgets the oldest idems once there are too many.
    pub(super) fn trim_idems(&mut self, lmdb: &Lmdb, txn: &mut RwTxn<'_>) -> Result<(), WriteError> {
        if self.idems < limits::IDEMS_KEPT + TRIM as u64 {
            return Ok(());
        }
        let mut oldest: Vec<(Key, Option<Idem>)> = Vec::with_capacity(TRIM);
        let (from, to) = keyspace::IDEM_ORDER;
        let scanned = lmdb.scan(txn, from, to, false, |key, idem| {
            oldest.push((key.to_vec(), idem.ok().and_then(|idem| idem.try_into().ok())));
            oldest.len() < TRIM
        });
        scanned.map_err(|why| WriteError::Broken(why.to_string().into()))?;
        for (order, idem) in oldest {
            lmdb.delete(txn, &order)?;
            if let Some(idem) = idem {
                lmdb.delete(txn, &keyspace::idem_key(&idem))?;
            }
            self.idems = self.idems.saturating_sub(1);
        }
        Ok(())
    }
}
