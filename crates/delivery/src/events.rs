//! Events of receiving and of the queue.

yubin_base::events! {
    /// A message was taken and is durable: straight into a mailbox or as a queue entry.
    ACCEPTED = Info "delivery.accepted";
    /// A message was refused after its body had come in; says why.
    REFUSED = Info "delivery.refused";
    /// A message stands in a mailbox.
    DELIVERED = Info "delivery.delivered";
    /// A delivery failed for now and will be tried again.
    DEFERRED = Warn "delivery.deferred";
    /// A delivery failed for good. The entry stays in the queue until someone looks: `yubin queue show`.
    FAILED = Warn "delivery.failed";
    /// A queue entry has reached all its recipients and is gone.
    DONE = Info "delivery.done";
    /// An administrator dropped a queue entry.
    DROPPED = Warn "delivery.dropped";
    /// A queue entry cannot be read. It is left alone; run `yubin fsck`.
    DAMAGED = Error "delivery.damaged";
    /// The queue cannot be written now.
    QUEUE_UNAVAILABLE = Error "delivery.queue_unavailable";
}
