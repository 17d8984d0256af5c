//! Reports that servers send to people and to each other. Knows no queue.

mod delivery;

pub use delivery::{Action, DeliveryReport, ReportedRecipient, Returned};
