//! The engine's limits.

yubin_base::limits! {
    /// LMDB's own ceiling.
    KEY_OCTETS: usize = 511, "octets";
    /// keeps one value within a few pages
    VALUE_OCTETS: usize = 65_536, "octets";
    /// keeps one transaction short for those who wait behind it
    BATCH_OCTETS: usize = 4_194_304, "octets";
    /// keeps one transaction short for those who wait behind it
    BATCH_OPS: usize = 10_000, "operations";
    /// a body of up to this size, compressed, lies inside its record: one flush less
    BLOB_INLINE_OCTETS: usize = 4_096, "octets";
    /// what a streaming writer holds in memory, and the unit of ranged reads
    BLOB_FRAME_OCTETS: usize = 262_144, "octets";
    /// bounds a blob's manifest to one frame; far above any mail
    BLOB_OCTETS: u64 = 4_294_967_296, "octets";
    /// what may wait for the committer before submitters wait themselves
    QUEUE_OCTETS: usize = 67_108_864, "octets";
    /// bounds how long one transaction takes, and so how long the next group waits
    GROUP_OCTETS: usize = 16_777_216, "octets";
    /// allocated ahead in the metadata file, so that deleting works when the disk is full
    HEADROOM_OCTETS: u64 = 1_048_576, "octets";
    /// taken even on a full disk: flags, deletions and their log are this small
    SMALL_BATCH_OCTETS: usize = 16_384, "octets";
    /// a repeated attempt is recognised among this many newer ones
    IDEMS_KEPT: u64 = 100_000, "batches";
    /// an inline blob and its frame
    BLOB_REF_OCTETS: usize = 4_608, "octets";
}
