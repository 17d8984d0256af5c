//! Which faults the memory engine shows, and how often. Values only; drawing them is the engine's.

/// Chances are in parts per million, drawn once per batch (or per read) from the engine's seed. All zero by default.
/// A plan hits exactly the n-th batch, counted from 0 over the life of the disk ([`super::MemoryEngine::attempts`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The process dies before the batch takes effect.
    pub crash_before_apply_ppm: u32,
    /// The process dies after the batch was applied and before it was flushed: the batch may be lost.
    pub crash_after_apply_ppm: u32,
    /// The process dies after the flush and before the answer: the batch is durable and nobody was told.
    pub crash_after_flush_ppm: u32,
    /// A batch with expectations is told that its first one did not hold, though it did.
    pub conflict_ppm: u32,
    /// The batch takes effect, and the answer is that nobody knows.
    pub unknown_with_effect_ppm: u32,
    /// The batch has no effect, and the answer is that nobody knows.
    pub unknown_without_effect_ppm: u32,
    /// The batch is refused because the disk is full.
    pub full_ppm: u32,
    /// A read fails; the next one may work.
    pub read_error_ppm: u32,
    /// The flush fails: the batch is answered `Unknown`, and the store takes no writes until a restart, after which
    /// the batch may or may not be there.
    pub flush_error_ppm: u32,
    /// The disk is full: batches that store anything, blobs and `room_for` are refused. Deleting works.
    pub disk_full: bool,
    /// At a crash, lazy batches that were not flushed yet are lost, as a suffix of random length.
    pub lose_lazy: bool,
    /// At a crash, blobs that no surviving batch names are lost, each with one chance in two.
    pub lose_blobs: bool,
    /// Answers to commits come only after up to this many polls, so that tasks interleave.
    pub delay_polls_max: u32,
    /// Faults that hit exactly the batch with that number.
    pub plan: Vec<(u64, Fault)>,
}

/// One planned fault. The names are those of [`Faults`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// See [`Faults::crash_before_apply_ppm`].
    CrashBeforeApply,
    /// See [`Faults::crash_after_apply_ppm`].
    CrashAfterApply,
    /// See [`Faults::crash_after_flush_ppm`].
    CrashAfterFlush,
    /// See [`Faults::conflict_ppm`].
    Conflict,
    /// See [`Faults::unknown_with_effect_ppm`].
    UnknownWithEffect,
    /// See [`Faults::unknown_without_effect_ppm`].
    UnknownWithoutEffect,
    /// See [`Faults::full_ppm`].
    Full,
    /// See [`Faults::flush_error_ppm`].
    FlushError,
}

impl Faults {
    /// The planned or drawn fault of batch number `attempt`.
    pub(super) fn draw(&self, attempt: u64, rng: &mut super::rng::Rng) -> Option<Fault> {
        if let Some((_, fault)) = self.plan.iter().find(|(at, _)| *at == attempt) {
            return Some(*fault);
        }
        let table = [
            (self.crash_before_apply_ppm, Fault::CrashBeforeApply),
            (self.crash_after_apply_ppm, Fault::CrashAfterApply),
            (self.crash_after_flush_ppm, Fault::CrashAfterFlush),
            (self.conflict_ppm, Fault::Conflict),
            (self.unknown_with_effect_ppm, Fault::UnknownWithEffect),
            (self.unknown_without_effect_ppm, Fault::UnknownWithoutEffect),
            (self.full_ppm, Fault::Full),
            (self.flush_error_ppm, Fault::FlushError),
        ];
        table.into_iter().find(|(ppm, _)| rng.chance(*ppm)).map(|(_, fault)| fault)
    }
}
