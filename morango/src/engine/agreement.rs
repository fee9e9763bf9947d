//! What two certificates allow together, and which of a peer's certificates allows the most.
//!
//! Pure: scopes in, filters out.

use crate::scope::{Filter, Reach, Scope};
use crate::session::Direction;

/// All that may go one way between a client and a server with these scopes; none where that is nothing.
pub(super) fn allowed(direction: Direction, client: &Scope, server: &Scope) -> Option<Filter> {
    match direction {
        Direction::Pull => common(client.read(), server.write()),
        Direction::Push => common(client.write(), server.read()),
    }
}

/// What is within both reaches.
///
/// Of two prefixes where one begins with the other, the longer one is in both; two others have nothing in common.
fn common(one: &Reach, other: &Reach) -> Option<Filter> {
    let (one, other) = (one.filter()?, other.filter()?);
    if one.is_everything() {
        return Some(other.minimized());
    }
    if other.is_everything() {
        return Some(one.minimized());
    }
    let inner = one.prefixes().iter().filter(|prefix| other.contains(prefix));
    let outer = other.prefixes().iter().filter(|prefix| one.contains(prefix));
    let both = Filter::new(inner.chain(outer).map(String::as_str));
    both.ok().map(|filter| filter.minimized())
}

/// What a sync may do with one of the peer's certificates: a filter for each direction that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agreement(pub(super) Vec<Option<Filter>>);

impl Agreement {
    /// What may be done in these directions, under a filter where one was asked for.
    pub(super) fn between(directions: &[Direction], wanted: Option<&Filter>, client: &Scope, server: &Scope) -> Self {
        let filters = directions.iter().map(|direction| {
            let most = allowed(*direction, client, server)?;
            match wanted {
                None => Some(most),
                Some(wanted) => wanted.is_subset_of(&most).then(|| wanted.clone()),
            }
        });
        Self(filters.collect())
    }

    /// Whether every direction has something to sync.
    pub(super) fn is_whole(&self) -> bool {
        self.0.iter().all(Option::is_some)
    }

    /// Whether no certificate of the peer's could allow more: a filter was asked for, or all is allowed that our own certificate allows.
    pub(super) fn is_widest(&self, directions: &[Direction], wanted: Option<&Filter>, client: &Scope) -> bool {
        let is_all_of_ours = |(direction, filter): (&Direction, &Option<Filter>)| {
            let ours = match direction {
                Direction::Pull => client.read(),
                Direction::Push => client.write(),
            };
            filter.as_ref().zip(ours.filter()).is_some_and(|(filter, ours)| ours.is_subset_of(filter))
        };
        self.is_whole() && (wanted.is_some() || directions.iter().zip(&self.0).all(is_all_of_ours))
    }

    /// Whether this allows all that the other does, and more.
    pub(super) fn is_wider_than(&self, other: &Self) -> bool {
        let covers = |one: &Self, other: &Self| {
            one.0.iter().zip(&other.0).all(|(one, other)| match (one, other) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(one), Some(other)) => other.is_subset_of(one),
            })
        };
        let count = |agreement: &Self| agreement.0.iter().flatten().count();
        count(self) > count(other) || (covers(self, other) && !covers(other, self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::{ScopeDefinition, ScopeDefinitionSource, ScopeParams};

    fn scope(read: &'static [&'static str], write: &'static [&'static str]) -> Scope {
        let source = ScopeDefinitionSource {
            profile: "notebook",
            id: "some",
            version: 1,
            primary: None,
            description: "",
            read,
            write,
            read_write: &[],
        };
        let definition = ScopeDefinition::new(source).expect("a good definition");
        definition.scope(&ScopeParams::new::<&str, &str>([]).expect("no parameters")).expect("a scope")
    }

    fn filter(prefixes: &[&str]) -> Filter {
        Filter::new(prefixes.iter().copied()).expect("good prefixes")
    }

    #[test]
    fn two_certificates_allow_what_lies_within_both() {
        let client = scope(&["a:1", "b", "c"], &["a"]);
        let server = scope(&["a:2"], &["a", "b:3", "d"]);
        assert_eq!(allowed(Direction::Pull, &client, &server), Some(filter(&["a:1", "b:3"])));
        assert_eq!(allowed(Direction::Push, &client, &server), Some(filter(&["a:2"])));
        let stranger = scope(&["x"], &["x"]);
        assert_eq!(allowed(Direction::Pull, &client, &stranger), None);
        assert_eq!(allowed(Direction::Push, &client, &scope(&[], &["a"])), None);
    }

    #[test]
    fn the_wider_of_two_agreements_is_preferred() {
        let client = scope(&["a"], &["a"]);
        let both = [Direction::Pull, Direction::Push];
        let agree = |server: &Scope| Agreement::between(&both, None, &client, server);
        let (narrow, wide) = (agree(&scope(&["a:1"], &["a:1"])), agree(&scope(&["a"], &["a:1"])));
        let one_way = agree(&scope(&[], &["a"]));
        assert!(wide.is_wider_than(&narrow) && !narrow.is_wider_than(&wide));
        assert!(!narrow.is_wider_than(&narrow));
        assert!(narrow.is_wider_than(&one_way) && !one_way.is_whole());
    }

    #[test]
    fn nobody_could_allow_more_than_our_own_certificate_or_than_was_asked_for() {
        let client = scope(&["a"], &["a:1"]);
        let both = [Direction::Pull, Direction::Push];
        let is_widest = |server: &Scope, wanted: Option<&Filter>| {
            Agreement::between(&both, wanted, &client, server).is_widest(&both, wanted, &client)
        };
        assert!(is_widest(&scope(&["a:1"], &["a", "b"]), None));
        assert!(!is_widest(&scope(&["a:1"], &["a:1"]), None), "another certificate may write more");
        assert!(is_widest(&scope(&["a:1"], &["a:1"]), Some(&filter(&["a:1"]))));
        assert!(!is_widest(&scope(&[], &["a:1"]), Some(&filter(&["a:1"]))), "one direction is not allowed at all");
    }

    #[test]
    fn a_filter_that_was_asked_for_is_not_widened_or_cut() {
        let client = scope(&["a"], &["a"]);
        let server = scope(&["a"], &["a:1"]);
        let wanted = filter(&["a:1:x"]);
        let agreement = Agreement::between(&[Direction::Pull], Some(&wanted), &client, &server);
        assert_eq!(agreement, Agreement(vec![Some(wanted)]));
        let outside = filter(&["a:2"]);
        assert!(!Agreement::between(&[Direction::Pull], Some(&outside), &client, &server).is_whole());
    }
}
