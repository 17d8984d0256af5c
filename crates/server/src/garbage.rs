//! Gives space back: tells the engine which bodies anybody still needs.

use yubin_base::UnixMs;
use yubin_engine::{BlobRef, ReadError, embedded::GarbageReport};

use crate::{app::App, clock, events};

/// A body younger than this may belong to a message still on its way.
const YOUNG_MS: u64 = 3_600_000;

/// One collection.
pub async fn collect(app: &App) -> Result<GarbageReport, ReadError> {
    let app = app.clone();
    let runtime = tokio::runtime::Handle::current();
    let since = UnixMs(clock::now().0.saturating_sub(YOUNG_MS));
    // It reads every record of every account: on a thread of its own.
    let work = move || {
        app.engine.collect_garbage(since, &mut |visit: &mut dyn FnMut(&BlobRef)| {
            let mut found: Vec<BlobRef> = Vec::new();
            runtime.block_on(async {
                // The queue first: what leaves it meanwhile is found in a mailbox.
                app.delivery
                    .queue()
                    .live_blobs(&mut |blob| found.push(blob.clone()))
                    .await
                    .map_err(queue_error)?;
                app.store.live_blobs(&mut |blob| found.push(blob.clone())).await.map_err(store_error)
            })?;
            found.iter().for_each(&mut *visit);
            Ok(())
        })
    };
    let failed = |what: String| ReadError::Unavailable(what.into());
    let report = tokio::task::spawn_blocking(work).await.map_err(|e| failed(e.to_string()))??;
    if report.freed_octets > 0 {
        yubin_base::event!(events::SPACE_FREED, octets = report.freed_octets);
    }
    Ok(report)
}

fn queue_error(error: yubin_delivery::QueueError) -> ReadError {
    ReadError::Unavailable(error.to_string().into())
}

fn store_error(error: yubin_store::StoreError) -> ReadError {
    ReadError::Unavailable(error.to_string().into())
}
