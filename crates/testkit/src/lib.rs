//! For tests: transcripts, a simulated world, a model mailbox, a corpus.
