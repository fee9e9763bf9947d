//! A record's partition, with its id in place and with the placeholder out of which the id was calculated.

use crate::id::SyncId;
use crate::model::ID_PLACEHOLDER;

/// The partition with the record's id in place of the placeholder.
pub fn record_partition(partition_template: &str, id: &SyncId) -> String {
    partition_template.replace(ID_PLACEHOLDER, &id.hex())
}

/// The partition with the placeholder put back where the record's id stands.
pub fn record_partition_template(partition: &str, id: &SyncId) -> String {
    partition.replace(id.hex().as_str(), ID_PLACEHOLDER)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::record_id;

    #[test]
    fn record_ids_and_partitions_are_those_of_python() {
        let golden: Value = serde_json::from_str(include_str!("../../../tests/fixtures/certificates.json"))
            .expect("the golden file is JSON");
        let cases = golden["record_ids"].as_array().expect("a list of cases");
        assert!(!cases.is_empty());
        for case in cases {
            let text = |name: &str| case[name].as_str().expect("a text");
            let id: SyncId = text("id").parse().expect("an id");
            let template = text("calculated_partition");
            // The dataset's id is its source id.
            if text("id") != text("source_id") {
                assert_eq!(record_id(template, text("source_id"), text("model_name")), id, "{case}");
            }
            assert_eq!(record_partition(template, &id), text("partition"));
            assert_eq!(record_partition_template(text("partition"), &id), template);
        }
    }
}
