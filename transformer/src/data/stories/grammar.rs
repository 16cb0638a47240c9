//! The grammar of the stories: how a story may go, and what it must remember.
//!
//! A story is six steps long; each says a sentence or two:
//!
//! ```text
//! meeting    Mia met Tom by the river.
//! counting   Tom had two shells and found three more. Now he had five.
//! finding    Mia found a red kite.
//! asking     "May I have it?" asked Tom.
//! answering  She gave it to him.
//! question   Who has the kite now? Tom has it.
//! ```
//!
//! Between two steps a story knows no more than its [`Memory`]: the grammar is a Markov chain over memories. That is
//! what makes the exact entropy a sum over memories instead of one over all stories ([`entropy`](super::entropy)).

use super::reader::Reader;

/// The names: girls first, then boys; no two begin with the same letter.
pub const NAMES: [&str; 8] = [
    "Anna", "Ella", "Lily", "Mia", // girls
    "Ben", "Hugo", "Sam", "Tom", // boys
];
const GIRLS: usize = 4;

const PLACES: [&str; 4] = ["at the market", "by the river", "in the garden", "on the hill"];
const TREASURES: [&str; 4] = ["egg", "nut", "pear", "shell"];
const COLOURS: [&str; 4] = ["blue", "green", "red", "yellow"];
const THINGS: [&str; 6] = ["ball", "drum", "hat", "kite", "map", "lamp"];

/// The numbers in words: `NUMBERS[n - 1]` is n.
pub const NUMBERS: [&str; 6] = ["one", "two", "three", "four", "five", "six"];
/// The largest count that somebody has, or finds, in one go.
const HANDFUL: usize = 3;

/// Somebody in a story: an index into [`NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Person(usize);

impl Person {
    /// The person of that name.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().position(|&known| known == name).map(Person)
    }

    /// The name.
    pub fn name(self) -> &'static str {
        NAMES[self.0]
    }

    /// "she" or "he".
    pub fn she(self) -> &'static str {
        if self.0 < GIRLS { "she" } else { "he" }
    }

    /// "her" or "him".
    pub fn her(self) -> &'static str {
        if self.0 < GIRLS { "her" } else { "him" }
    }

    /// "She" or "He".
    fn she_begins(self) -> &'static str {
        if self.0 < GIRLS { "She" } else { "He" }
    }
}

/// All that the rest of a story depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Memory {
    /// Nothing has been said yet.
    Nothing,
    /// Two people have met.
    Met([Person; 2]),
    /// The second of them has counted; what and how many is forgotten.
    Counted([Person; 2]),
    /// The finder has found something, and the asker wants it.
    Found(Find),
    /// The asker has asked for it.
    Asked(Find),
    /// It is clear who owns it now.
    Owned(Find, Person),
    /// The story is over.
    Told,
}

/// Who found what, and who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Find {
    finder: Person,
    asker: Person,
    colour: usize,
    thing: usize,
}

/// Tells one story from beginning to end.
pub fn tell<R: Reader>(reader: &mut R) -> Result<(), R::Stop> {
    let mut memory = Memory::Nothing;
    while memory != Memory::Told {
        memory = step(memory, reader)?;
    }
    Ok(())
}

/// Tells the next step of a story, and what is remembered after it.
pub fn step<R: Reader>(memory: Memory, reader: &mut R) -> Result<Memory, R::Stop> {
    match memory {
        Memory::Nothing => meeting(reader),
        Memory::Met(people) => counting(people, reader),
        Memory::Counted(people) => finding(people, reader),
        Memory::Found(find) => asking(find, reader),
        Memory::Asked(find) => answering(find, reader),
        Memory::Owned(find, owner) => question(find, owner, reader),
        Memory::Told => Ok(Memory::Told),
    }
}

/// `Mia met Tom by the river.`
fn meeting<R: Reader>(reader: &mut R) -> Result<Memory, R::Stop> {
    let first = Person(reader.one_of(&NAMES)?);
    reader.say(" met ")?;
    let others: Vec<Person> = (0..NAMES.len()).map(Person).filter(|&person| person != first).collect();
    let names: Vec<&str> = others.iter().map(|person| person.name()).collect();
    let second = others[reader.one_of(&names)?];
    reader.say(" ")?;
    reader.one_of(&PLACES)?;
    reader.say(".")?;
    Ok(Memory::Met([first, second]))
}

/// `Tom had two shells and found three more. Now he had five.`
fn counting<R: Reader>(people: [Person; 2], reader: &mut R) -> Result<Memory, R::Stop> {
    let [_, counter] = people;
    reader.say(&format!(" {} had ", counter.name()))?;
    let had = 1 + reader.one_of(&NUMBERS[..HANDFUL])?;
    reader.say(" ")?;
    reader.one_of(&TREASURES)?;
    reader.say(if had == 1 { "" } else { "s" })?;
    reader.say(" and found ")?;
    let found = 1 + reader.one_of(&NUMBERS[..HANDFUL])?;
    reader.say(" more. ")?;
    let sum = NUMBERS[had + found - 1];
    match reader.one_of(&["Now ", "\"I have "])? {
        0 => reader.say(&format!("{} had {sum}.", counter.she()))?,
        _ => reader.say(&format!("{sum} now!\" {} said.", counter.she()))?,
    }
    Ok(Memory::Counted(people))
}

/// `Mia found a red kite.`
fn finding<R: Reader>(people: [Person; 2], reader: &mut R) -> Result<Memory, R::Stop> {
    let [finder, asker] = people;
    reader.say(&format!(" {} found a ", finder.name()))?;
    let colour = reader.one_of(&COLOURS)?;
    reader.say(" ")?;
    let thing = reader.one_of(&THINGS)?;
    reader.say(".")?;
    Ok(Memory::Found(Find { finder, asker, colour, thing }))
}

/// `"May I have it?" asked Tom.`
fn asking<R: Reader>(find: Find, reader: &mut R) -> Result<Memory, R::Stop> {
    reader.say(" \"")?;
    reader.one_of(&["May I have it?\" asked ", "Is it for me?\" asked ", "I like it!\" said "])?;
    reader.say(find.asker.name())?;
    reader.say(".")?;
    Ok(Memory::Asked(find))
}

/// `She gave it to him.`
fn answering<R: Reader>(find: Find, reader: &mut R) -> Result<Memory, R::Stop> {
    let Find { finder, asker, .. } = find;
    reader.say(&format!(" {} ", finder.she_begins()))?;
    let owner = match reader.choose(&[("gave it to ", 2), ("kept it.", 1), ("lent it to ", 1)])? {
        0 => {
            reader.say(&format!("{}.", asker.her()))?;
            asker
        }
        1 => finder,
        _ => {
            reader.say(&format!("{}, and {} gave it back.", asker.her(), asker.she()))?;
            finder
        }
    };
    Ok(Memory::Owned(find, owner))
}

/// `Who has the kite now? Tom has it.`
fn question<R: Reader>(find: Find, owner: Person, reader: &mut R) -> Result<Memory, R::Stop> {
    let (colour, thing) = (COLOURS[find.colour], THINGS[find.thing]);
    match reader.choose(&[(" Who has the ", 3), (" What did ", 1)])? {
        0 => reader.say(&format!("{thing} now? {} has it.", owner.name()))?,
        _ => reader.say(&format!("{} find? A {colour} {thing}.", find.finder.name()))?,
    }
    Ok(Memory::Told)
}
