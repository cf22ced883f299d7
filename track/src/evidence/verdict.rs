//! Who is blamed for the references on the live objects of a type, and how certain that is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use rustc_hash::FxBuildHasher;

use super::alive::Alive;
use super::classes::{self, Class, What};
use super::cost::Costs;
use super::explain::Explainer;
use super::explanation::{Explanation, Item};
use super::history::{self, History};
use super::totals::{self, Totals};
use super::words;
use crate::code::Id;
use crate::leaks::Key;
use crate::names::Name;
use crate::object::{Act, Object};
use crate::process::Process;
use crate::sources::Sources;
use crate::symbols::Frame;
use crate::world::World;

/// A rival that costs so much more is less likely.
const SOME: f64 = 2.0;
/// What is blamed is certain only if the rival costs so much more,
const SURE: f64 = 5.0;
/// or so much more if the rival is its twin.
const SURE_OF_TWINS: f64 = 10.0;
/// And such a share of the references of the blamed class must be given back by lines that give back hardly anything else,
const PURE: f64 = 0.95;
/// if so many of its references were seen given back.
const SEEN: f64 = 2.0;
/// A get and a put so few lines apart may be an exchange: one holder's reference for another's.
const NEAR: u32 = 2;

/// How certain a blame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// Nothing else explains what was seen.
    Certain,
    /// What else there is explains less.
    Likely,
    /// Something else explains it as well.
    Open,
    /// And a third line may be to blame, too.
    Unknown,
}

impl Certainty {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Certain, Self::Likely, Self::Open, Self::Unknown];

    /// For machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Open => "open",
            Self::Unknown => "unknown",
        }
    }
}

/// A line: of a stack the frame that is to blame, and the functions before it only wrap the get or put.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The stack.
    pub stack: Id,
    /// The frame.
    pub frame: usize,
}

/// What else may be to blame: the line, whether it is kref_init()'s, and where such references are given back.
pub type Rival = (Line, bool, Vec<(Line, u64)>);

/// What is said of the references of one class.
#[derive(Clone, Debug)]
pub struct Blame {
    /// The frame that is to blame.
    pub frame: usize,
    /// How certain it is.
    pub certainty: Certainty,
    /// Where such references are given back, and how often, the most frequent first.
    pub usual: Vec<(Line, u64)>,
    /// What else may be to blame, and where that is given back.
    pub rival: Option<Rival>,
    /// Whether such references were seen given back.
    pub was_seen: bool,
    /// Whether it is the class that leaks most.
    pub is_first: bool,
    /// Whether the release of an object that is live would give such references back: that object is the cause.
    pub is_consequence: bool,
}

/// A reference that nobody gave back.
pub struct Leak {
    /// Which of the objects.
    pub object: usize,
    /// Who took it.
    pub by: Act,
    /// For whom.
    pub holder: Name,
    /// Whether it is kref_init()'s.
    pub is_first: bool,
    /// What is said.
    pub blame: Rc<Blame>,
}

/// References of one class that nobody gave back, on objects whose histories are not kept.
pub struct Mass {
    /// The stacks of the class, and how many gets each has.
    pub stacks: BTreeMap<Id, u64>,
    /// Whether they are kref_init()'s.
    pub is_first: bool,
    /// How many.
    pub count: u64,
    /// What is said.
    pub blame: Rc<Blame>,
}

/// The references that nobody gave back.
#[derive(Default)]
pub struct Judged {
    /// On objects whose histories are kept.
    pub leaks: Vec<Leak>,
    /// On the others.
    pub masses: Vec<Mass>,
}

/// Finds the references that nobody gave back: on live objects of one type whose histories are kept, and on others of
/// which the gets and puts at each stack are counted.
pub fn judge(
    world: &World,
    process: &Process,
    key: Key,
    objects: &[&Object],
    long: &BTreeMap<(Id, What), u64>,
    alive: &Alive,
    sources: &Sources,
) -> Judged {
    let code = &world.code;
    let (released, plain) = world.evidence.of(key);
    let mut live: HashMap<History, (usize, Vec<usize>), FxBuildHasher> = HashMap::default();
    for (at, object) in objects.iter().enumerate() {
        let number = live.len();
        let history = history::read(world, process, object);
        live.entry(history).or_insert((number, Vec::new())).1.push(at);
    }
    let all = released.iter().map(|(history, _)| history).chain(live.keys());
    let mut stacks: BTreeSet<(Id, What)> = BTreeSet::new();
    for (at, event) in all.flat_map(|history| history.events.iter().enumerate()) {
        let what = match at {
            0 => What::Create,
            _ if event.is_get => What::Get,
            _ => What::Put,
        };
        stacks.insert((event.stack, what));
    }
    let pairs = plain.iter().flat_map(|&(get, put, _)| [(get, What::Get), (put, What::Put)]);
    stacks.extend(pairs);
    stacks.extend(long.keys());
    let classes = classes::sort(&stacks, code);
    let all = classes.0.all.iter().chain(&classes.1.all);
    let frequent = words::frequent(all.flat_map(|class| class.functions.iter().copied()));
    let costs = Costs { code, sources, classes: &classes, frequent, alive, key };
    let items = released.iter().map(|(it, count)| Item::new(0, it, *count, &costs)).collect();
    let live_item = |(history, (number, objects)): (&History, &(usize, Vec<usize>))| {
        Item::new(*number, history, objects.len() as f64, &costs)
    };
    let plain: Vec<_> = plain
        .iter()
        .map(|&(get, put, count)| (classes.0.of(get, false), classes.1.of(put, false), count))
        .collect();
    let explainer = Explainer::new(&costs, items, live.iter().map(live_item).collect(), &plain);
    let explanations = explainer.explain();
    let best = &explanations[0];
    let rival = explanations.iter().find(|it| it.blamed() != best.blamed());
    let margin = rival.map(|rival| rival.cost - best.cost);
    let has_third = has_third(&explanations);
    let blames = blames(&costs, best, rival, margin, has_third);
    let known = explainer.leaks(best);
    let mut judged = Judged::default();
    for of in &live {
        let (history, (number, of_objects)) = of;
        let settled;
        let leaks = match known.get(number) {
            Some(leaks) => leaks,
            None => {
                settled = explainer.settle(&live_item(of), best);
                &settled
            }
        };
        for (&object, &event) in
            of_objects.iter().flat_map(|it| leaks.iter().map(move |at| (it, at)))
        {
            let stack = history.events[event].stack;
            let Some(blame) = blames.get(&classes.0.of(stack, event == 0)) else { continue };
            let acts = history::acts(world, process, objects[object]);
            let (by, holder) = acts[event];
            let blame = Rc::clone(blame);
            judged.leaks.push(Leak { object, by, holder, is_first: event == 0, blame });
        }
    }
    if !long.is_empty() {
        judged.masses = masses(&explainer, best, long);
    }
    judged
}

/// The references that nobody gave back on objects of which the gets and puts at each stack are counted.
fn masses(
    explainer: &Explainer,
    best: &Explanation,
    long: &BTreeMap<(Id, What), u64>,
) -> Vec<Mass> {
    let (costs, known) = (explainer.costs, &best.counts);
    let mut totals = Totals { gets: vec![0; known.gets], puts: vec![0; known.puts] };
    let mut stacks: BTreeMap<usize, BTreeMap<Id, u64>> = BTreeMap::new();
    for (&(stack, what), &count) in long {
        if what == What::Put {
            totals.puts[costs.classes.1.of(stack, false)] += count;
        } else {
            let class = costs.classes.0.of(stack, what == What::Create);
            totals.gets[class] += count;
            stacks.entry(class).or_default().insert(stack, count);
        }
    }
    let explanations = totals::explain(explainer, known, &totals);
    let Some(best) = explanations.first() else { return Vec::new() };
    let rival = explanations.get(1);
    let margin = rival.map_or(totals::MUCH, |rival| rival.cost - best.cost);
    let has_third = has_third(&explanations);
    let blames = blames(costs, best, rival, Some(margin), has_third);
    let mass = |(class, stacks): (usize, BTreeMap<Id, u64>)| Mass {
        stacks,
        is_first: costs.classes.0.all[class].is_first,
        count: best.counts.leaks(class).round() as u64,
        blame: Rc::clone(&blames[&class]),
    };
    stacks.into_iter().map(mass).filter(|mass| mass.count > 0).collect()
}

/// Whether a class is given back by lines that give back hardly anything else, and none of which is an exchange.
fn is_plain(costs: &Costs, best: &Explanation, get: usize) -> bool {
    let (gets, puts) = (&costs.classes.0.all, &costs.classes.1.all);
    let usual = best.counts.usual(get);
    let all: f64 = usual.iter().map(|(_, count)| count).sum();
    let pure: f64 = usual
        .iter()
        .filter(|&&(put, count)| {
            count >= PURE * best.counts.of_put(put) && !is_exchange(costs, &gets[get], &puts[put])
        })
        .map(|(_, count)| count)
        .sum();
    pure >= PURE * all
}

/// Whether a function takes one reference, itself or by a call, and a few lines further gives back another.
fn is_exchange(costs: &Costs, get: &Class, put: &Class) -> bool {
    let of = |class: &Class| costs.code.described(class.stack).iter().skip(class.frame);
    let is_near = |put: &Frame| {
        let get = of(get).find(|get| get.identity == put.identity);
        get.is_some_and(|get| put.line.wrapping_sub(get.line) <= NEAR)
    };
    of(put).next().is_some_and(is_near)
}

/// Whether two classes of gets are twins: one call takes both references, itself or in a function that it calls. What
/// happens later then hardly tells which of them is which.
fn are_twins(costs: &Costs, a: usize, b: usize) -> bool {
    let functions = |class: usize| {
        let class = &costs.classes.0.all[class];
        let frames = costs.code.described(class.stack).iter().skip(class.frame);
        frames.map(|frame| frame.identity)
    };
    let is_in = |inner, outer| {
        let function = functions(outer).next();
        functions(inner).take(2).any(|it| Some(it) == function)
    };
    is_in(a, b) || is_in(b, a)
}

/// Whether explanations that are not much dearer than the cheapest blame three classes.
fn has_third(explanations: &[Explanation]) -> bool {
    let near = explanations.iter().filter(|it| it.cost < explanations[0].cost + SURE);
    near.filter_map(Explanation::blamed).collect::<BTreeSet<_>>().len() > 2
}

/// What is said of each class of gets that may leak. The rival costs more by `margin`, and `has_third` tells whether a third
/// class may be to blame.
fn blames(
    costs: &Costs,
    best: &Explanation,
    rival: Option<&Explanation>,
    margin: Option<f64>,
    has_third: bool,
) -> BTreeMap<usize, Rc<Blame>> {
    let first = best.blamed();
    let has_twin = first
        .zip(rival.and_then(Explanation::blamed))
        .is_some_and(|(class, by)| are_twins(costs, class, by));
    let sure = if has_twin { SURE_OF_TWINS } else { SURE };
    let line = |class: &Class| Line { stack: class.stack, frame: class.frame };
    let usual_of = |by: &Explanation, class: usize| -> Vec<(Line, u64)> {
        let usual = by.counts.usual(class).into_iter().take(2);
        usual.map(|(put, count)| (line(&costs.classes.1.all[put]), count.round() as u64)).collect()
    };
    let blame = |(class, of): (usize, &Class)| {
        let back: f64 = best.counts.usual(class).iter().map(|(_, count)| count).sum();
        let is_first = first == Some(class);
        let certainty = match margin {
            _ if !is_first => Certainty::Likely,
            None if back < SEEN || is_plain(costs, best, class) => Certainty::Certain,
            Some(margin) if margin < SOME && has_third => Certainty::Unknown,
            Some(margin) if margin < SOME => Certainty::Open,
            Some(margin)
                if margin >= sure && !best.waits[class] && is_plain(costs, best, class) =>
            {
                Certainty::Certain
            }
            _ => Certainty::Likely,
        };
        let rival = rival.filter(|_| is_first && certainty != Certainty::Certain);
        let rival = rival.and_then(|by| {
            let other = by.blamed()?;
            let class = &costs.classes.0.all[other];
            Some((line(class), class.is_first, usual_of(by, other)))
        });
        let usual = usual_of(best, class);
        let is_consequence = best.waits[class];
        let frame = of.frame;
        let was_seen = back >= SEEN;
        (
            class,
            Rc::new(Blame { frame, certainty, usual, rival, was_seen, is_first, is_consequence }),
        )
    };
    costs.classes.0.all.iter().enumerate().map(blame).collect()
}
