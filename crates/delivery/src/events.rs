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
    /// Another server took a message for a recipient.
    SENT = Info "delivery.sent";
    /// A message was sent whole and no answer came: it may have arrived, and is tried again (RFC 1047).
    IN_DOUBT = Warn "delivery.in_doubt";
    /// A destination cannot be reached; its messages wait.
    DESTINATION_DOWN = Warn "delivery.destination_down";
    /// TLS failed with a host that need not offer it; the message goes without.
    TLS_FAILED = Info "delivery.tls_failed";
    /// A host does not keep the TLS policy (DANE, MTA-STS) of the domain.
    POLICY_BREACH = Warn "delivery.policy_breach";
    /// An MTA-STS policy could not be fetched or read; what was known before still holds.
    POLICY_UNUSABLE = Warn "delivery.policy_unusable";
    /// A report about a message was put into the queue.
    REPORTED = Info "delivery.reported";
    /// A report could not be delivered, or a failure is nobody's to hear of.
    NOT_REPORTED = Warn "delivery.not_reported";
    /// A queue entry has reached all its recipients and is gone.
    DONE = Info "delivery.done";
    /// An administrator dropped a queue entry.
    DROPPED = Warn "delivery.dropped";
    /// A queue entry cannot be read. It is left alone; run `yubin fsck`.
    DAMAGED = Error "delivery.damaged";
    /// The queue cannot be written now.
    QUEUE_UNAVAILABLE = Error "delivery.queue_unavailable";
}
