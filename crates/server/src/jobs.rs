//! What runs beside the sessions: the queue, and tidying up. Holds the timers that the crates below do not have.

use std::time::Duration;

use tokio::sync::watch;

use crate::{app::App, clock, events};

/// The longest sleep of the queue when nothing is due; new entries wake it.
const QUEUE_SLEEP: Duration = Duration::from_secs(60);
/// Between two rounds of tidying.
const TIDY_EVERY: Duration = Duration::from_secs(600);
/// Between two garbage collections.
const COLLECT_EVERY_ROUNDS: u32 = 36;

/// Works on the queue until the server stops.
pub async fn deliver(app: App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        // Listening comes first: an entry that comes in while we look is not missed.
        let changed = app.delivery.changed();
        let now = clock::now();
        let sleep = match app.delivery.work(now).await {
            Some(due) => Duration::from_millis(due.since(clock::now())).min(QUEUE_SLEEP),
            None => QUEUE_SLEEP,
        };
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(sleep) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Keeps the search indexes of all accounts close behind their messages, until the server stops. First it looks at every account:
/// what came in while no server ran is not on the list.
pub async fn index(app: App, mut stop: watch::Receiver<bool>) {
    for account in app.directory.accounts() {
        app.store.want_index(account.id);
    }
    while !*stop.borrow() {
        let account = tokio::select! {
            account = app.store.next_to_index() => account,
            _ = stop.changed() => return,
        };
        if let Err(error) = index_account(&app, account, &stop).await {
            yubin_base::event!(events::INDEX_FAILED, account = %account, error = %error);
        }
        tokio::task::yield_now().await;
    }
}

async fn index_account(
    app: &App,
    account: yubin_base::AccountId,
    stop: &watch::Receiver<bool>,
) -> Result<(), yubin_store::StoreError> {
    let account = match app.store.account(account).await {
        Err(yubin_store::StoreError::NoAccount) => return Ok(()),
        account => account?,
    };
    // Each step is bounded and lets others have their turn.
    while account.index_step().await?.more && !*stop.borrow() {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Removes what expunged messages left behind, and gives space back, until the server stops.
pub async fn tidy(app: App, mut stop: watch::Receiver<bool>) {
    let mut round: u32 = 0;
    loop {
        tokio::select! {
            () = tokio::time::sleep(TIDY_EVERY) => {}
            _ = stop.changed() => return,
        }
        round = round.wrapping_add(1);
        let keep_ms = app.config.sending.history_s.saturating_mul(1_000);
        let before = yubin_base::UnixMs(clock::now().0.saturating_sub(keep_ms));
        if let Err(error) = app.delivery.queue().forget_before(before).await {
            yubin_base::event!(events::TIDY_FAILED, error = %error);
        }
        for account in app.directory.accounts() {
            if *stop.borrow() {
                return;
            }
            if let Err(error) = purge(&app, account.id).await {
                yubin_base::event!(events::TIDY_FAILED, account = %account.id, error = %error);
            }
            tokio::task::yield_now().await;
        }
        if round.is_multiple_of(COLLECT_EVERY_ROUNDS)
            && let Err(error) = crate::garbage::collect(&app).await
        {
            yubin_base::event!(events::TIDY_FAILED, error = %error);
        }
    }
}

async fn purge(app: &App, account: yubin_base::AccountId) -> Result<(), yubin_store::StoreError> {
    let account = app.store.account(account).await?;
    // Each call is bounded, so that the account's own sessions get their turn in between.
    while account.purge(clock::now()).await?.more {
        tokio::task::yield_now().await;
    }
    Ok(())
}
