//! Events of receiving and of the queue.

yubin_base::events! {
    /// A message was taken and is durable: straight into a mailbox or as a queue entry.
    ACCEPTED = Info "delivery.accepted";
    /// A message was refused after its body had come in; says why.
    REFUSED = Info "delivery.refused";
    /// SPF, DKIM, DMARC and ARC of a message from outside were looked at; says what was found and decided.
    JUDGED = Info "delivery.judged";
    /// DNS gave no answer about a message's sender. The message was taken all the same.
    IDENTITY_UNKNOWN = Warn "delivery.identity_unknown";
    /// DNS answers nothing, not even about ourselves: for a while senders are not judged. Look at the resolver.
    DNS_SILENT = Error "delivery.dns_silent";
    /// A message goes to the mailbox for junk; says why.
    JUNKED = Info "delivery.junked";
    /// A message from outside was refused because its From field names nobody, or several.
    AUTHOR_REFUSED = Info "delivery.author_refused";
    /// A message was refused because the domain in From disowns it.
    DMARC_REFUSED = Info "delivery.dmarc_refused";
    /// An account's Sieve script could not be used or was given up; the message was kept. Names script and line.
    RULES_FAILED = Warn "delivery.rules_failed";
    /// A rule sent a message on to another address.
    REDIRECTED = Info "delivery.redirected";
    /// A rule answered a sender.
    ANSWERED = Info "delivery.answered";
    /// A message stands in a mailbox.
    DELIVERED = Info "delivery.delivered";
    /// A delivery failed for now and will be tried again.
    DEFERRED = Warn "delivery.deferred";
    /// A delivery failed for good. The entry stays in the queue until someone looks: `yubin queue show`.
    FAILED = Warn "delivery.failed";
    /// A message of a user of ours could not be signed (DKIM); it goes without.
    NOT_SIGNED = Warn "delivery.not_signed";
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
