//! Documents and bytes: mail (RFC 5322, MIME) and charsets. Reading mail never fails; it yields defects.
