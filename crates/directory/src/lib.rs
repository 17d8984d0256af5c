//! Who: domains, accounts, aliases, credentials, SASL.
