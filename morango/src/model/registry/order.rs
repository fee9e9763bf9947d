//! The order in which models are written: each after those that its rows point at.

use super::problem::{Link, Named, RegistryProblem};
use crate::model::definition::{Dependency, ModelDefinition};

/// Everything that must be there before a model's rows, and what says so. Its own kind does not count.
pub(super) fn needs(model: &'static ModelDefinition) -> impl Iterator<Item = (Link, &'static ModelDefinition)> {
    let follow = |dependency: &Dependency| (dependency.definition)();
    let keys = model.foreign_keys.iter().map(move |key| (Link::ForeignKey(key.field), follow(&key.target)));
    let others = model.depends_on.iter().map(move |dependency| (Link::DependsOn, follow(dependency)));
    keys.chain(others).filter(|(_, target)| !is_same(model, target))
}

/// Whether two definitions are those of one Rust type.
pub(super) fn is_same(one: &ModelDefinition, two: &ModelDefinition) -> bool {
    (one.type_id)() == (two.type_id)()
}

/// Puts the models of one profile in order. Among those that could be next, the first by name is.
///
/// A link to a model that is not among them is left out here, and told elsewhere. Where models need each other, the cycle is
/// told, whole and once, and the order goes on as if it were not there.
pub(super) fn sort(
    mut waiting: Vec<&'static ModelDefinition>,
    problems: &mut Vec<RegistryProblem>,
) -> Vec<&'static ModelDefinition> {
    waiting.sort_by_key(|model| model.name);
    let mut sorted = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let Some(position) = waiting.iter().position(|model| first_need(model, &waiting).is_none()) else {
            let cycle = find_cycle(&waiting);
            let steps = cycle.iter().map(|(model, link)| (Named::from(*model), *link)).collect();
            problems.push(RegistryProblem::Cycle { steps });
            for (model, _) in cycle {
                waiting.retain(|other| !is_same(model, other));
                sorted.push(model);
            }
            continue;
        };
        sorted.push(waiting.remove(position));
    }
    sorted
}

/// The first thing that a model needs among those that wait.
fn first_need(
    model: &'static ModelDefinition,
    waiting: &[&'static ModelDefinition],
) -> Option<(Link, &'static ModelDefinition)> {
    needs(model).find(|(_, target)| waiting.iter().any(|other| is_same(target, other)))
}

/// A cycle among models each of which needs another of them: whoever follows the needs comes back somewhere.
fn find_cycle(waiting: &[&'static ModelDefinition]) -> Vec<(&'static ModelDefinition, Link)> {
    let mut path: Vec<(&'static ModelDefinition, Link)> = Vec::new();
    let mut model = waiting[0];
    loop {
        if let Some(position) = path.iter().position(|(seen, _)| is_same(seen, model)) {
            return path.split_off(position);
        }
        let (link, next) = first_need(model, waiting).expect("none of those that wait could be next");
        path.push((model, link));
        model = next;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::test_model;
    use super::*;

    test_model!(Leaf, "leaf", "${id}", keys [(branch_id => Branch)], depends_on [Alpha]);
    test_model!(Branch, "branch", "${id}", keys [(root_id => Root), (branch_id => Branch)], depends_on []);
    test_model!(Root, "root", "${id}", keys [], depends_on []);
    test_model!(Alpha, "alpha", "${id}", keys [(root_id => Root)], depends_on []);
    test_model!(Egg, "egg", "${id}", keys [(hen_id => Hen)], depends_on []);
    test_model!(Hen, "hen", "${id}", keys [(root_id => Root)], depends_on [Farm]);
    test_model!(Farm, "farm", "${id}", keys [(egg_id => Egg)], depends_on []);
    test_model!(Yolk, "yolk", "${id}", keys [(egg_id => Egg)], depends_on []);

    fn names(models: &[&'static ModelDefinition]) -> Vec<&'static str> {
        models.iter().map(|model| model.name).collect()
    }

    #[test]
    fn what_is_pointed_at_comes_first_and_otherwise_names_decide() {
        let mut problems = Vec::new();
        let all = vec![Leaf::definition(), Branch::definition(), Root::definition(), Alpha::definition()];
        assert_eq!(names(&sort(all.clone(), &mut problems)), ["root", "alpha", "branch", "leaf"]);
        assert_eq!(names(&sort(all.into_iter().rev().collect(), &mut problems)), ["root", "alpha", "branch", "leaf"]);
        assert_eq!(problems, []);
    }

    #[test]
    fn a_cycle_is_told_whole_and_once_and_hides_nothing_else() {
        let mut problems = Vec::new();
        let all =
            vec![Yolk::definition(), Hen::definition(), Egg::definition(), Root::definition(), Farm::definition()];
        let sorted = sort(all, &mut problems);
        assert_eq!(names(&sorted), ["root", "egg", "hen", "farm", "yolk"]);
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        for part in [
            "test/egg (test::Egg) leads through its foreign key `hen_id` to test/hen (test::Hen)",
            "test/hen (test::Hen) leads through `depends_on` to test/farm (test::Farm)",
            "test/farm (test::Farm) leads through its foreign key `egg_id` to test/egg (test::Egg)",
        ] {
            assert!(told[0].contains(part), "{told:?} says {part}");
        }
    }
}
