//! From accepted to delivered: recipient policy, spool, queue, local delivery.
