//! Makes threads of messages: the algorithms ORDEREDSUBJECT and REFERENCES of RFC 5256 §3. Pure. Nothing here calls itself, so that a
//! thread may be as deep as it likes; no step takes longer than its input, whatever stands in somebody's References.

use std::collections::BTreeMap;

use crate::limits::{THREAD_IDS_AT_ONCE, THREAD_LINKED_AT_ONCE, THREAD_WALK_STEPS};

/// No node.
const NONE: u32 = u32::MAX;

/// What is known of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) seq: u32,
    /// The sent date.
    pub(super) sent_s: i64,
    /// A hash of the base subject; zero when that is empty.
    pub(super) subject: u64,
    pub(super) is_reply: bool,
    /// A hash of the Message-ID.
    pub(super) id: Option<u64>,
    /// How many references it has.
    pub(super) references: u32,
}

/// The messages to make threads of, in the order of their sequence numbers.
#[derive(Default)]
pub(super) struct Messages {
    messages: Vec<Message>,
    /// Hashes of the Message-IDs of all: the reference's own place among [`Messages::places`], sorted later, by their first bits.
    ids: Vec<Vec<(u64, u32)>>,
    places: u32,
}

const BUCKETS: usize = 64;

impl Messages {
    /// Takes the next message, and the hashes of those it refers to, the oldest first.
    pub(super) fn push(&mut self, message: Message, references: impl Iterator<Item = u64>) {
        self.ids.resize(BUCKETS, Vec::new());
        self.messages.push(message);
        for id in message.id.into_iter().chain(references) {
            if let Some(bucket) = self.ids.get_mut((id >> 58) as usize) {
                bucket.push((id, self.places));
            }
            self.places += 1;
        }
    }
}

/// Threads, ready to be written.
#[derive(Debug, Default)]
pub(super) struct Forest {
    /// The sequence number of each node; zero for a message that is not there.
    seqs: Vec<u32>,
    roots: Vec<u32>,
    children: Vec<u32>,
    /// Where the children of each node end, and with the node before it, where they begin.
    ends: Vec<u32>,
}

impl Forest {
    pub(super) fn roots(&self) -> &[u32] {
        &self.roots
    }
    pub(super) fn seq(&self, node: u32) -> u32 {
        self.seqs.get(node as usize).copied().unwrap_or(0)
    }
    pub(super) fn children(&self, node: u32) -> &[u32] {
        let end = |n: u32| self.ends.get(n as usize).copied().unwrap_or(0) as usize;
        let start = node.checked_sub(1).map_or(0, end);
        self.children.get(start..end(node)).unwrap_or_default()
    }

    /// From parents. Roots and children are put in the order of their dates; a message that is not there has its first child's.
    fn grow(nodes: &Nodes, is_root: impl Fn(u32) -> bool) -> Self {
        let count = nodes.parent.len() as u32;
        let mut below: Vec<(u32, i64, u32, u32)> = Vec::new();
        for node in 0..count {
            let parent = at(&nodes.parent, node);
            if parent != NONE && nodes.is_there(node) {
                let (sent_s, seq) = nodes.date(node);
                below.push((parent, sent_s, seq, node));
            }
        }
        below.sort_unstable();
        let mut forest = Self { seqs: nodes.seqs(), ..Self::default() };
        let mut rest = below.iter().peekable();
        let mut first_dates = BTreeMap::new();
        for node in 0..count {
            while let Some((_, sent_s, seq, child)) = rest.next_if(|(parent, ..)| *parent == node) {
                if !nodes.is_there(node) {
                    first_dates.entry(node).or_insert((*sent_s, *seq));
                }
                forest.children.push(*child);
            }
            forest.ends.push(forest.children.len() as u32);
        }
        let date = |node: u32| first_dates.get(&node).copied().unwrap_or_else(|| nodes.date(node));
        let mut roots: Vec<(i64, u32, u32)> = (0..count)
            .filter(|node| is_root(*node))
            .map(|node| {
                let (sent_s, seq) = date(node);
                (sent_s, seq, node)
            })
            .collect();
        roots.sort_unstable();
        forest.roots = roots.into_iter().map(|(.., node)| node).collect();
        forest
    }
}

/// Nodes: messages, and what is referred to and not there.
#[derive(Default)]
struct Nodes {
    parent: Vec<u32>,
    /// Which message.
    message: Vec<u32>,
    messages: Vec<Message>,
}

impl Nodes {
    fn add(&mut self, message: u32) -> u32 {
        self.parent.push(NONE);
        self.message.push(message);
        (self.parent.len() - 1) as u32
    }
    fn message(&self, node: u32) -> Option<&Message> {
        self.messages.get(at(&self.message, node) as usize)
    }
    fn is_there(&self, node: u32) -> bool {
        at(&self.message, node) != NONE
    }
    fn date(&self, node: u32) -> (i64, u32) {
        self.message(node).map_or((i64::MAX, NONE), |m| (m.sent_s, m.seq))
    }
    fn seqs(&self) -> Vec<u32> {
        self.message.iter().map(|m| self.messages.get(*m as usize).map_or(0, |m| m.seq)).collect()
    }
    fn set_parent(&mut self, node: u32, parent: u32) {
        set(&mut self.parent, node, parent);
    }
}

fn at(numbers: &[u32], n: u32) -> u32 {
    numbers.get(n as usize).copied().unwrap_or(NONE)
}

fn set(numbers: &mut [u32], n: u32, to: u32) {
    if let Some(place) = numbers.get_mut(n as usize) {
        *place = to;
    }
}

/// ORDEREDSUBJECT: those of one base subject are a thread; the oldest is above all others.
pub(super) fn ordered_subject(messages: Messages) -> Forest {
    let mut nodes = Nodes { messages: messages.messages, ..Nodes::default() };
    (0..nodes.messages.len() as u32).for_each(|message| {
        nodes.add(message);
    });
    let mut order: Vec<(u64, i64, u32, u32)> =
        (0..).zip(&nodes.messages).map(|(n, m)| (m.subject, m.sent_s, m.seq, n)).collect();
    order.sort_unstable();
    let mut first = None;
    for (subject, .., node) in order {
        match first {
            Some((of, root)) if of == subject => nodes.set_parent(node, root),
            _ => first = Some((subject, node)),
        }
    }
    Forest::grow(&nodes, |node| at(&nodes.parent, node) == NONE)
}

/// REFERENCES, under way.
pub(super) struct References {
    nodes: Nodes,
    ids: Vec<Vec<(u64, u32)>>,
    /// The node of each Message-ID, by its place.
    places: Vec<u32>,
    /// Trees that were ever linked: where two nodes differ here, linking them makes no loop.
    trees: Vec<u32>,
    /// How many more steps may be walked in search of loops.
    walk_steps: u64,
    /// The next message to link, and the first of its places.
    next: usize,
    next_place: u32,
    is_root: Vec<bool>,
}

impl References {
    pub(super) fn new(messages: Messages) -> Self {
        let places = messages.places;
        Self {
            nodes: Nodes { messages: messages.messages, ..Nodes::default() },
            ids: messages.ids,
            places: vec![NONE; places as usize],
            trees: Vec::new(),
            walk_steps: THREAD_WALK_STEPS.saturating_add(u64::from(places) * 8),
            next: 0,
            next_place: 0,
            is_root: Vec::new(),
        }
    }

    /// Does the next piece of the work. The threads, once all is done.
    pub(super) fn step(&mut self) -> Option<Forest> {
        if !self.ids.is_empty() {
            self.name_nodes();
            return None;
        }
        if self.next < self.nodes.messages.len() {
            for _ in 0..THREAD_LINKED_AT_ONCE {
                self.link_message();
            }
            return None;
        }
        self.prune();
        self.gather_subjects();
        let is_root = std::mem::take(&mut self.is_root);
        Some(Forest::grow(&self.nodes, |node| is_root.get(node as usize).copied().unwrap_or(false)))
    }

    /// Gives each Message-ID a node.
    fn name_nodes(&mut self) {
        let mut done = 0;
        while done < THREAD_IDS_AT_ONCE
            && let Some(mut ids) = self.ids.pop()
        {
            done += ids.len();
            ids.sort_unstable();
            let mut last = None;
            for (id, place) in ids {
                let node = match last {
                    Some((of, node)) if of == id => node,
                    _ => self.add_node(NONE),
                };
                last = Some((id, node));
                set(&mut self.places, place, node);
            }
        }
    }

    fn add_node(&mut self, message: u32) -> u32 {
        let node = self.nodes.add(message);
        self.trees.push(node);
        node
    }

    /// (1) Links the references of a message one below the other, and the message below the last.
    fn link_message(&mut self) {
        let Some(message) = self.nodes.messages.get(self.next).copied() else { return };
        let number = self.next as u32;
        self.next += 1;
        let mut place = self.next_place;
        let own = match message.id {
            Some(_) => {
                let node = at(&self.places, place);
                place += 1;
                // Of two with one Message-ID the second has none.
                if self.nodes.is_there(node) { self.add_node(number) } else { node }
            }
            None => self.add_node(number),
        };
        set(&mut self.nodes.message, own, number);
        let mut above = NONE;
        for _ in 0..message.references {
            let node = at(&self.places, place);
            place += 1;
            // (1)(A): a link that is there stays.
            if above != NONE && at(&self.nodes.parent, node) == NONE {
                self.link(node, above);
            }
            above = node;
        }
        // (1)(B): the message's own References know best.
        if at(&self.nodes.parent, own) != above || above == NONE {
            self.nodes.set_parent(own, NONE);
            if above != NONE {
                self.link(own, above);
            }
        }
        self.next_place = place;
    }

    /// Puts a node that has no parent below another one, unless that makes a loop.
    fn link(&mut self, node: u32, above: u32) {
        let (tree, tree_above) = (self.tree(node), self.tree(above));
        if tree == tree_above && self.is_below(above, node) {
            return;
        }
        self.nodes.set_parent(node, above);
        set(&mut self.trees, tree, tree_above);
    }

    fn tree(&mut self, mut node: u32) -> u32 {
        loop {
            let next = at(&self.trees, node);
            if next == node || next == NONE {
                return node;
            }
            // Halves the way for whoever comes next.
            let after = at(&self.trees, next);
            set(&mut self.trees, node, after);
            node = after;
        }
    }

    /// Whether a node is another one, or below it. When too much was walked already, it is taken to be.
    fn is_below(&mut self, mut node: u32, other: u32) -> bool {
        while node != NONE {
            if node == other || self.walk_steps == 0 {
                return true;
            }
            self.walk_steps -= 1;
            node = at(&self.nodes.parent, node);
        }
        false
    }

    /// (2), (3) Takes out what is not there: children go to the message above. What would have no message above it stays together below
    /// a node at the top, unless it is alone.
    fn prune(&mut self) {
        let count = self.nodes.parent.len() as u32;
        // For what is not there: the message above, or else the topmost of those that are not there.
        let mut anchors = vec![NONE; count as usize];
        let mut way = Vec::new();
        for start in 0..count {
            if self.nodes.is_there(start) {
                continue;
            }
            let mut node = start;
            let anchor = loop {
                match at(&anchors, node) {
                    NONE => way.push(node),
                    anchor => break anchor,
                }
                let above = at(&self.nodes.parent, node);
                if above == NONE || self.nodes.is_there(above) {
                    break if above == NONE { node } else { above };
                }
                node = above;
            };
            way.drain(..).for_each(|node| set(&mut anchors, node, anchor));
        }
        let mut children = vec![0u32; count as usize];
        for node in 0..count {
            let above = at(&self.nodes.parent, node);
            if self.nodes.is_there(node) && above != NONE && !self.nodes.is_there(above) {
                let anchor = at(&anchors, above);
                self.nodes.set_parent(node, anchor);
                if let Some(children) = children.get_mut(anchor as usize) {
                    *children += 1;
                }
            }
        }
        self.is_root = vec![false; count as usize];
        for node in 0..count {
            if self.nodes.is_there(node) {
                let above = at(&self.nodes.parent, node);
                let is_alone = above != NONE && !self.nodes.is_there(above) && at(&children, above) == 1;
                if is_alone {
                    self.nodes.set_parent(node, NONE);
                }
                self.mark_root(node, above == NONE || is_alone);
            } else {
                self.nodes.set_parent(node, NONE);
                self.mark_root(node, at(&children, node) > 1);
            }
        }
    }

    fn mark_root(&mut self, node: u32, is_root: bool) {
        if let Some(mark) = self.is_root.get_mut(node as usize) {
            *mark = is_root;
        }
    }

    /// (4), (5) Threads of one base subject become one.
    fn gather_subjects(&mut self) {
        let roots = self.roots_by_date();
        // (5)(B): for each subject, the root that others of that subject go to.
        let mut table: BTreeMap<u64, u32> = BTreeMap::new();
        for (root, subject) in roots.iter().copied().filter(|(_, subject)| *subject != 0) {
            let known = table.entry(subject).or_insert(root);
            let better = self.nodes.is_there(*known)
                && (!self.nodes.is_there(root) || (self.is_reply(*known) && !self.is_reply(root)));
            if better {
                *known = root;
            }
        }
        // (5)(C). The children of a root that gives way to another one follow it.
        let mut moved: BTreeMap<u32, u32> = BTreeMap::new();
        for (root, subject) in roots.into_iter().filter(|(_, subject)| *subject != 0) {
            let Some(known) = table.get(&subject).copied().filter(|known| *known != root) else { continue };
            self.mark_root(root, false);
            match (self.nodes.is_there(known), self.nodes.is_there(root)) {
                (false, false) => {
                    moved.insert(root, known);
                }
                (false, true) => self.nodes.set_parent(root, known),
                _ if self.is_reply(root) && !self.is_reply(known) => self.nodes.set_parent(root, known),
                _ => {
                    let both = self.add_node(NONE);
                    self.is_root.push(true);
                    self.mark_root(known, false);
                    self.nodes.set_parent(known, both);
                    self.nodes.set_parent(root, both);
                    table.insert(subject, both);
                }
            }
        }
        if !moved.is_empty() {
            for parent in &mut self.nodes.parent {
                *parent = moved.get(parent).copied().unwrap_or(*parent);
            }
        }
    }

    fn is_reply(&self, node: u32) -> bool {
        self.nodes.message(node).is_some_and(|message| message.is_reply)
    }

    /// (4) The roots in the order of their dates, with their subjects. One that is not there has the date and the subject of its first child.
    fn roots_by_date(&self) -> Vec<(u32, u64)> {
        let count = self.nodes.parent.len() as u32;
        let is_root = |node: u32| self.is_root.get(node as usize).copied().unwrap_or(false);
        let mut first_child: BTreeMap<u32, u32> = BTreeMap::new();
        for node in 0..count {
            let above = at(&self.nodes.parent, node);
            if above != NONE && !self.nodes.is_there(above) {
                let first = first_child.entry(above).or_insert(node);
                if self.nodes.date(node) < self.nodes.date(*first) {
                    *first = node;
                }
            }
        }
        let mut roots: Vec<(i64, u32, u32, u64)> = (0..count)
            .filter(|node| is_root(*node))
            .map(|root| {
                let shown = first_child.get(&root).copied().unwrap_or(root);
                let (sent_s, seq) = self.nodes.date(shown);
                (sent_s, seq, root, self.nodes.message(shown).map_or(0, |m| m.subject))
            })
            .collect();
        roots.sort_unstable();
        roots.into_iter().map(|(_, _, root, subject)| (root, subject)).collect()
    }
}

#[cfg(test)]
#[path = "threading_tests.rs"]
mod tests;
