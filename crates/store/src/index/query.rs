//! What the index says about a text: which documents hold it for sure, and which may. RFC 9051 §6.4.4 decides the rest, on the text
//! itself. Nothing that holds it is left out.

use std::sync::Arc;

use yubin_base::AccountId;
use yubin_engine::View;

use super::{
    IndexAnswer, Sought,
    bits::Bits,
    segment::{Pattern, Place, SegmentReader, space},
    terms::{self, GRAM, Kind, Run},
};
use crate::{
    StoreError, limits,
    tables::index::{IndexHead, Segment},
};

/// What a text that holds the needle has: each of these runs, in one of its places.
struct Plan {
    pieces: Vec<Piece>,
    /// The needle is one piece and nothing else: a term that has it proves it.
    alone: bool,
}

/// A run of the needle. At an end where the needle ends, too, the run of the text may go on.
struct Piece {
    run: Run,
    begins: bool,
    ends: bool,
    places: Vec<Place>,
}

impl Plan {
    /// Nothing when the needle leaves no terms.
    fn new(sought: &Sought, needle: &str) -> Option<Self> {
        let places = match sought {
            Sought::Body => vec![Place::Body],
            Sought::Anywhere => Place::ALL.to_vec(),
            Sought::Field(name) => vec![Place::of_field(name)],
        };
        let (runs, separated, separated_after) = terms::runs(needle);
        let last = runs.len().saturating_sub(1);
        let alone = runs.len() == 1
            && !separated
            && !separated_after
            && places.iter().all(|place| *place != Place::Header || *sought == Sought::Anywhere);
        let mut pieces: Vec<Piece> = runs
            .into_iter()
            .enumerate()
            .map(|(n, run)| Piece {
                run,
                begins: n > 0 || separated,
                ends: n < last || separated_after,
                places: places.clone(),
            })
            .collect();
        if let Sought::Field(name) = sought
            && places == [Place::Header]
        {
            let names = terms::runs(name).0.into_iter();
            pieces.extend(names.map(|run| Piece { run, begins: true, ends: true, places: places.clone() }));
        }
        // The longest leave the fewest documents; a single letter of many words leaves nearly all.
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.run.text.len()));
        pieces.truncate(limits::INDEX_PIECES);
        if pieces.iter().any(|piece| piece.run.text.len() > 1) {
            pieces.retain(|piece| piece.run.text.len() > 1);
        }
        (!pieces.is_empty()).then_some(Self { pieces, alone })
    }

    async fn ask(&self, reader: &mut SegmentReader<'_>) -> Result<(Bits, Bits), StoreError> {
        let mut all: Option<Bits> = None;
        let unread = reader.segment.unread.iter().map(|doc| doc - reader.segment.from).collect::<Vec<_>>();
        let add_unread = |mut bits: Bits| {
            unread.iter().for_each(|n| bits.set(*n));
            bits
        };
        for piece in &self.pieces {
            let (mut sure, mut maybe) = (Bits::new(reader.span()), Bits::new(reader.span()));
            for place in &piece.places {
                piece.ask(*place, reader, &mut sure, &mut maybe).await?;
            }
            if self.alone {
                maybe.without(&sure);
                return Ok((sure, add_unread(maybe)));
            }
            sure.or(&maybe);
            match &mut all {
                Some(all) => all.and(&sure),
                None => all = Some(sure),
            }
            if all.as_ref().is_some_and(Bits::is_empty) {
                break;
            }
        }
        Ok((Bits::default(), add_unread(all.unwrap_or_else(|| Bits::new(reader.span())))))
    }
}

impl Piece {
    /// Adds the documents that have the piece in one place: to `sure` those with a term that has it.
    async fn ask(
        &self,
        place: Place,
        reader: &mut SegmentReader<'_>,
        sure: &mut Bits,
        maybe: &mut Bits,
    ) -> Result<(), StoreError> {
        let text = self.run.text.as_str();
        let chars = text.chars().count();
        if self.run.lone {
            return match chars {
                1 => Self::parts(text, false, false, space(place, Kind::Pair), reader, sure).await,
                2 => Self::grams(text, 2, space(place, Kind::Pair), reader, sure).await,
                _ => Self::grams(text, 2, space(place, Kind::Pair), reader, maybe).await,
            };
        }
        let whole = self.begins && self.ends;
        if !whole || terms::is_word(text) {
            Self::parts(text, self.begins, self.ends, space(place, Kind::Word), reader, sure).await?;
        }
        if !whole || !terms::is_word(text) {
            let grams = space(place, Kind::Gram);
            match chars {
                0..GRAM => Self::parts(text, false, false, grams, reader, sure).await?,
                GRAM => Self::grams(text, GRAM, grams, reader, sure).await?,
                _ => Self::grams(text, GRAM, grams, reader, maybe).await?,
            }
        }
        Ok(())
    }

    /// Documents with any term that has the text in it.
    async fn parts(
        text: &str,
        begins: bool,
        ends: bool,
        space: u8,
        reader: &mut SegmentReader<'_>,
        set: &mut Bits,
    ) -> Result<(), StoreError> {
        let entries = reader.find(space, &Pattern::new(text, begins, ends)).await?;
        reader.add(&entries, set).await
    }

    /// Documents with every gram of the text.
    async fn grams(
        text: &str,
        size: usize,
        space: u8,
        reader: &mut SegmentReader<'_>,
        set: &mut Bits,
    ) -> Result<(), StoreError> {
        let mut entries = Vec::new();
        for gram in terms::grams(text, size).take(limits::INDEX_GRAMS) {
            match reader.term(space, gram).await? {
                Some(entry) => entries.push(entry),
                None => return Ok(()),
            }
        }
        entries.sort_unstable_by_key(|entry| entry.octets);
        let mut all: Option<Bits> = None;
        for entry in entries {
            let mut one = Bits::new(reader.span());
            reader.add(&[entry], &mut one).await?;
            match &mut all {
                Some(all) => all.and(&one),
                None => all = Some(one),
            }
            if all.as_ref().is_some_and(Bits::is_empty) {
                return Ok(());
            }
        }
        if let Some(all) = &all {
            set.or(all);
        }
        Ok(())
    }
}

/// Asks for one text. Nothing when the index cannot help.
pub(crate) async fn ask(
    view: &Arc<dyn View>,
    account: AccountId,
    head: &IndexHead,
    sought: &Sought,
    needle: &str,
) -> Result<Option<IndexAnswer>, StoreError> {
    let Some(plan) = Plan::new(sought, needle) else { return Ok(None) };
    let mut answer = IndexAnswer { until: head.until, ..IndexAnswer::default() };
    for segment in &head.segments {
        let segment: &Segment = segment;
        let (sure, maybe) = plan.ask(&mut SegmentReader::new(view, account, segment)).await?;
        answer.sure.push(segment.from, sure);
        answer.maybe.push(segment.from, maybe);
    }
    Ok(Some(answer))
}
