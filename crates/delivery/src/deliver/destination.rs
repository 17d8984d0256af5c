//! Destinations: what waits for each, how many connections it may have, and whether it can be reached. In memory only; the queue's rows are the truth.
//! One destination's trouble is its own: it waits in its own line.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use yubin_base::{TraceId, UnixMs};

use crate::{
    limits,
    remote::{RouteRule, route::Route},
};

/// Where something goes: a domain, and what an operator ordered about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The destination's name here: the domain, and the rule if any.
    pub key: Arc<str>,
    /// The domain.
    pub domain: String,
    /// The operator's rule.
    pub rule: Option<RouteRule>,
}

/// Every destination that something waits for.
#[derive(Default)]
pub(crate) struct Destinations(Mutex<All>);

#[derive(Default)]
struct All {
    known: BTreeMap<Arc<str>, Destination>,
    /// What waits in a line, or is under way.
    in_hand: BTreeSet<(TraceId, Arc<str>)>,
    workers: usize,
    /// Workers by the first host of their route: domains that share it share its limit.
    at_site: BTreeMap<String, usize>,
    /// Destinations that wait for a free place.
    stalled: BTreeSet<Arc<str>>,
}

struct Destination {
    way: Way,
    waiting: VecDeque<TraceId>,
    workers: usize,
    /// How many workers it may have now. Grows with what it takes, shrinks with what it turns away.
    limit: usize,
    failures: u32,
    paused_until: UnixMs,
    route: Option<Arc<Route>>,
}

/// What the workers see of all destinations, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DestinationReadings {
    /// Destinations with something waiting or under way.
    pub destinations: usize,
    /// Connections.
    pub workers: usize,
    /// Destinations that cannot be reached.
    pub paused: usize,
}

/// Workers of a new destination: the first shows whether it answers.
const FIRST_LIMIT: usize = 2;

impl Destinations {
    /// Puts a message in line. Until when it must wait if the destination cannot be reached; nothing if it is in line (now or already).
    pub fn add(&self, id: TraceId, way: Way, now: UnixMs) -> Option<UnixMs> {
        let mut all = self.0.lock();
        if let Some(known) = all.known.get(&way.key)
            && known.paused_until > now
        {
            return Some(known.paused_until);
        }
        if all.known.len() >= limits::DESTINATIONS_KEPT {
            // What was learned of those that nobody waits for is forgotten.
            all.known.retain(|_, known| {
                known.workers > 0 || !known.waiting.is_empty() || known.paused_until > now
            });
        }
        let key = way.key.clone();
        if !all.in_hand.insert((id, key.clone())) {
            return None;
        }
        let destination = all.known.entry(key).or_insert_with(|| Destination {
            way,
            waiting: VecDeque::new(),
            workers: 0,
            limit: FIRST_LIMIT,
            failures: 0,
            paused_until: UnixMs(0),
            route: None,
        });
        destination.waiting.push_back(id);
        None
    }

    /// Whether a new worker is wanted for a destination; it is counted at once.
    pub fn wants_worker(&self, key: &Arc<str>, limit: usize, now: UnixMs) -> bool {
        let all = &mut *self.0.lock();
        let full = all.workers >= limits::SENDERS;
        let Some(known) = all.known.get_mut(key) else { return false };
        let wanted = known.waiting.len() > known.workers.saturating_sub(1)
            && !known.waiting.is_empty()
            && known.workers < known.limit.min(limit)
            && known.paused_until <= now;
        if wanted && full {
            all.stalled.insert(key.clone());
        }
        if !wanted || full {
            return false;
        }
        known.workers += 1;
        all.workers += 1;
        true
    }

    /// The next message for a worker.
    pub fn next(&self, key: &Arc<str>) -> Option<(TraceId, Way)> {
        let mut all = self.0.lock();
        let known = all.known.get_mut(key)?;
        Some((known.waiting.pop_front()?, known.way.clone()))
    }

    /// A message goes back to the head of the line.
    pub fn put_back(&self, key: &Arc<str>, id: TraceId) {
        if let Some(known) = self.0.lock().known.get_mut(key) {
            known.waiting.push_front(id);
        }
    }

    /// A worker is done with a message.
    pub fn done_with(&self, key: &Arc<str>, id: TraceId) {
        self.0.lock().in_hand.remove(&(id, key.clone()));
    }

    /// The route that is known and still holds.
    pub fn route(&self, key: &Arc<str>, now: UnixMs) -> Option<Arc<Route>> {
        let all = self.0.lock();
        all.known.get(key)?.route.clone().filter(|route| route.until > now)
    }

    /// Keeps a route.
    pub fn keep_route(&self, key: &Arc<str>, route: Arc<Route>) {
        if let Some(known) = self.0.lock().known.get_mut(key) {
            known.route = Some(route);
        }
    }

    /// Takes a place at a site; false when it has as many connections as it may.
    pub fn enter_site(&self, key: &Arc<str>, site: &str, limit: usize) -> bool {
        let mut all = self.0.lock();
        let at = all.at_site.entry(site.to_owned()).or_default();
        if *at >= limit {
            all.stalled.insert(key.clone());
            return false;
        }
        *at += 1;
        true
    }

    /// Gives the place back.
    pub fn leave_site(&self, site: &str) {
        let mut all = self.0.lock();
        if let Some(at) = all.at_site.get_mut(site) {
            *at -= 1;
            if *at == 0 {
                all.at_site.remove(site);
            }
        }
    }

    /// It took something: one connection more may be good.
    pub fn went_well(&self, key: &Arc<str>, max: usize) {
        if let Some(known) = self.0.lock().known.get_mut(key) {
            known.failures = 0;
            known.limit = (known.limit + 1).min(max.max(1));
        }
    }

    /// It has enough of us: fewer connections.
    pub fn turned_away(&self, key: &Arc<str>) {
        if let Some(known) = self.0.lock().known.get_mut(key) {
            known.limit = (known.limit / 2).max(1);
        }
    }

    /// It cannot be reached. Returns until when nothing is tried, and who must wait so long. While others still get through, nobody waits.
    pub fn unreachable(&self, key: &Arc<str>, now: UnixMs) -> (UnixMs, Vec<TraceId>) {
        let mut all = self.0.lock();
        let Some(known) = all.known.get_mut(key) else { return (now, Vec::new()) };
        let doublings = known.failures.min(10);
        known.failures += 1;
        known.limit = 1;
        known.route = None;
        let pause_s = (limits::DESTINATION_PAUSE_FIRST_S << doublings).min(limits::DESTINATION_PAUSE_LAST_S);
        known.paused_until = now.plus_ms(pause_s * 1_000);
        let (until, waiting) = (known.paused_until, std::mem::take(&mut known.waiting));
        for id in &waiting {
            all.in_hand.remove(&(*id, key.clone()));
        }
        (until, waiting.into())
    }

    /// An administrator wants it now: pauses end.
    pub fn forget_pauses(&self) {
        for known in self.0.lock().known.values_mut() {
            known.paused_until = UnixMs(0);
        }
    }

    /// A worker ends. Returns the destinations that may want one now: none when it ended because its site is full, or it would only be
    /// turned away again; whoever leaves the site wakes those that stand outside.
    pub fn worker_ended(&self, key: &Arc<str>, site_full: bool, now: UnixMs) -> Vec<Arc<str>> {
        let mut all = self.0.lock();
        all.workers = all.workers.saturating_sub(1);
        if let Some(known) = all.known.get_mut(key) {
            known.workers = known.workers.saturating_sub(1);
            let idle = known.workers == 0 && known.waiting.is_empty();
            // What was learned of a destination is kept while it is paused, or had trouble lately.
            if idle && known.paused_until <= now && known.failures == 0 {
                all.known.remove(key);
            }
        }
        if site_full {
            return Vec::new();
        }
        let mut wanting: Vec<Arc<str>> = std::mem::take(&mut all.stalled).into_iter().collect();
        wanting.push(key.clone());
        wanting
    }

    /// For metrics.
    pub fn readings(&self, now: UnixMs) -> DestinationReadings {
        let all = self.0.lock();
        DestinationReadings {
            destinations: all.known.len(),
            workers: all.workers,
            paused: all.known.values().filter(|known| known.paused_until > now).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_000_000);

    fn way(domain: &str) -> Way {
        Way { key: domain.into(), domain: domain.into(), rule: None }
    }

    #[test]
    fn a_message_stands_in_a_line_once() {
        let all = Destinations::default();
        assert_eq!(all.add(TraceId(1), way("far.test"), NOW), None);
        assert_eq!(all.add(TraceId(1), way("far.test"), NOW), None);
        let key: Arc<str> = "far.test".into();
        assert_eq!(all.next(&key).map(|(id, _)| id), Some(TraceId(1)));
        assert_eq!(all.next(&key), None);
        all.add(TraceId(1), way("far.test"), NOW);
        assert_eq!(all.next(&key), None, "it is under way");
        all.done_with(&key, TraceId(1));
        all.add(TraceId(1), way("far.test"), NOW);
        assert!(all.next(&key).is_some());
    }

    #[test]
    fn a_destination_that_is_down_waits_longer_each_time_and_alone() {
        let all = Destinations::default();
        let key: Arc<str> = "down.test".into();
        let mut pauses = Vec::new();
        let mut now = NOW;
        for _ in 0..8 {
            all.add(TraceId(1), way("down.test"), now);
            all.add(TraceId(2), way("down.test"), now);
            let (until, waiting) = all.unreachable(&key, now);
            assert_eq!(waiting, [TraceId(1), TraceId(2)]);
            assert_eq!(all.add(TraceId(3), way("down.test"), now), Some(until));
            pauses.push(until.since(now) / 1_000);
            now = until;
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1_800, 1_800]);
        assert_eq!(all.add(TraceId(1), way("up.test"), NOW), None);
        assert!(all.wants_worker(&"up.test".into(), 10, NOW));
    }

    #[test]
    fn connections_follow_what_the_destination_takes() {
        let all = Destinations::default();
        let key: Arc<str> = "far.test".into();
        for n in 0..50 {
            all.add(TraceId(n), way("far.test"), NOW);
        }
        let start = |limit| (0..50).filter(|_| all.wants_worker(&key, limit, NOW)).count();
        assert_eq!(start(10), FIRST_LIMIT);
        for _ in 0..20 {
            all.went_well(&key, 10);
        }
        assert_eq!(start(10), 10 - FIRST_LIMIT);
        for _ in 0..9 {
            all.worker_ended(&key, false, NOW);
        }
        for _ in 0..4 {
            all.turned_away(&key);
        }
        assert_eq!(start(10), 0, "one works, one may");
    }

    #[test]
    fn domains_with_one_host_share_its_limit() {
        let all = Destinations::default();
        assert!(all.enter_site(&"a.test".into(), "mx.test", 1));
        assert!(!all.enter_site(&"b.test".into(), "mx.test", 1));
        assert!(all.worker_ended(&"b.test".into(), true, NOW).is_empty(), "it would spin");
        all.leave_site("mx.test");
        assert!(all.worker_ended(&"a.test".into(), false, NOW).contains(&"b.test".into()));
        assert!(all.enter_site(&"b.test".into(), "mx.test", 1));
    }
}
