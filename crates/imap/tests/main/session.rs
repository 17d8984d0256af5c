//! What transcripts cannot say.
