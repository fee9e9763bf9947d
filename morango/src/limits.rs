//! What this peer is willing to take from anybody: one named bound for every body, list, chain and text.
//!
//! A peer's data may be wrong or hostile. Whatever grows with what it sends is bounded here and nowhere else,
//! so that the worst it can cost us can be read on one page. This file knows nothing of where a bound is used.

/// Records in one chunk, unless an application chooses otherwise. Python peers use the same number.
pub const CHUNK_RECORDS_DEFAULT: usize = 500;

/// Records in one chunk on a line that is quick, unless an application chooses otherwise: as many as one write transaction takes.
pub const CHUNK_RECORDS_GROWN_MAX: usize = TRANSACTION_RECORDS_MAX;

/// Milliseconds within which a chunk has to go over for the next one to be twice as long; where one takes four times as long, the next
/// is half as long.
pub const CHUNK_QUICK_MILLISECONDS: u64 = 250;

/// Bytes up to which chunks grow on a quick line.
pub const CHUNK_BYTES_GROWN_MAX: u64 = 4 * 1024 * 1024;

/// Records that we serve in one page of a buffer, whatever a peer asks for.
pub const CHUNK_RECORDS_MAX: usize = 5_000;

/// Records that we accept in one posted chunk.
pub const CHUNK_RECORDS_ACCEPTED_MAX: usize = 20_000;

/// Bytes of one JSON body after decompression. A chunk of Python's default size is about 1 MiB.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of one body on the line, compressed or not.
pub const BODY_COMPRESSED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of a body that carries neither records nor counters: sync sessions, certificates, nonces.
pub const SMALL_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of a body that carries counters, which grow with the partitions of a database.
pub const COUNTERS_BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of all bodies together that a server holds as they come; whoever comes when it holds as many is asked to come again.
pub const BODIES_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Bytes of all bodies together that a server holds decompressed; what would be more waits until others are done.
pub const BODIES_DECOMPRESSED_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Seconds for which a server waits for the next bytes of a body, and for all of it.
pub const BODY_QUIET_SECONDS_MAX: u64 = 60;
/// See [`BODY_QUIET_SECONDS_MAX`].
pub const BODY_SECONDS_MAX: u64 = 30 * 60;

/// Bytes of a body that are read before anything is asked of the database. With a longer one whom it is for is looked up first.
pub const BODY_UNASKED_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a page that we compose ourselves: past this a page ends early, so that huge records stay harmless.
pub const CHUNK_BYTES_TARGET: usize = 8 * 1024 * 1024;

/// Digits of a decimal number in a field, and the highest power of ten by which one may be scaled.
pub const DECIMAL_DIGITS_MAX: usize = 1_000;

/// Bytes of one record's `serialized` text, as it stands in JSON. A record travels whole: this, [`CONFLICTING_BYTES_MAX`] and
/// [`RECORD_MAX_COUNTERS_MAX`] counters are less than [`BODY_BYTES_MAX`], so that none can stand in the way of those behind it.
pub const SERIALIZED_BYTES_MAX: usize = 28 * 1024 * 1024;

/// Bytes of a record's `conflicting_serialized_data` that we keep, as it stands in JSON: the newest conflicts stay, the oldest are
/// cut. The longest text that may lose, with its line break, is just not cut.
pub const CONFLICTING_BYTES_MAX: usize = SERIALIZED_BYTES_MAX + 2;

/// Members of a stored text that is merged by a policy or given to a record by a decision.
pub const MERGED_MEMBERS_MAX: usize = 100_000;

/// Elements of a JSON array of which a merge policy makes a union with another.
pub const UNION_ELEMENTS_MAX: usize = 100_000;

/// Conflicted records that are listed at one time.
pub const CONFLICTS_LISTED_MAX: usize = 100;

/// Versions of one conflicted record that are listed, the newest first; a decision ends the older ones with them.
pub const CONFLICT_VERSIONS_LISTED_MAX: usize = 1_000;

/// Entries in the record max counters of one record.
pub const RECORD_MAX_COUNTERS_MAX: usize = 10_000;

/// Certificates in one chain.
pub const CHAIN_CERTIFICATES_MAX: usize = 64;

/// Bytes of a certificate's `serialized` text.
pub const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;

/// Certificates in one answer of a peer to a query for certificates.
pub const CERTIFICATES_LISTED_MAX: usize = 10_000;

/// Prefixes in one filter.
pub const FILTER_PREFIXES_MAX: usize = 10_000;

/// Bytes of one partition or prefix. An entry in an index of PostgreSQL has 2,704 bytes at most, and holds a little more than this.
pub const PARTITION_BYTES_MAX: usize = 2_048;

/// Characters of a source id.
pub const SOURCE_ID_CHARS_MAX: usize = 96;

/// Characters of a model name, a profile, a scope definition id. The protocol gives 40, 40 and 20.
pub const NAME_CHARS_MAX: usize = 40;

/// Characters of a scope definition's id and of a profile in it.
pub const SCOPE_DEFINITION_ID_CHARS_MAX: usize = 20;

/// Characters of a certificate's salt.
pub const SALT_CHARS_MAX: usize = 32;

/// Bytes of the JSON text of scope parameters.
pub const SCOPE_PARAMS_BYTES_MAX: usize = 16 * 1024;

/// Bytes of memory that the counters of one side take in one exchange, about: some 600,000 partitions, whatever their number of
/// instances, since longer lists do not pass [`COUNTERS_BODY_BYTES_MAX`].
pub const FSIC_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes of memory that one map of counters takes once it is told of each prefix of a filter, as with peers that share no counters per
/// partition: some 1,000 instances over 1,500 prefixes. Such a map is short on the line, however many prefixes there are.
pub const FSIC_SPREAD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The highest counter that is believed. It leaves room to go on counting: a peer cannot push us to the end.
pub const COUNTER_MAX: i64 = i64::MAX / 2;

/// Wrong guesses at one user's password from one address, and from one address at those of all users, after which each further one has
/// to wait: a second, and then twice as long each time. An IPv6 network (/64) counts as one.
pub const GUESSES_FREE: u32 = 10;
/// See [`GUESSES_FREE`].
pub const GUESSES_FREE_OF_ADDRESS: u32 = 100;

/// Seconds for which a guess at a password has to wait at most.
pub const GUESS_PAUSE_SECONDS_MAX: u64 = 60;

/// Seconds after the last wrong guess after which none counts any more.
pub const GUESSES_FORGOTTEN_SECONDS: u64 = 15 * 60;

/// Users and addresses of which wrong guesses are remembered.
pub const GUESSERS_MAX: usize = 10_000;

/// Seconds for which a nonce is good.
pub const NONCE_AGE_SECONDS_MAX: i64 = 60;

/// Nonces that wait for their use at one time; the oldest give way.
pub const NONCES_OUTSTANDING_MAX: usize = 10_000;

/// Seconds that a client waits for a connection.
pub const CONNECT_SECONDS_MAX: u64 = 20;

/// Seconds that a client waits for the bytes of one answer.
pub const ANSWER_SECONDS_MAX: u64 = 120;

/// Seconds that a client waits for the answer to a call for which a peer may run whole stages, as Python peers do.
pub const STAGE_ANSWER_SECONDS_MAX: u64 = 30 * 60;

/// Seconds that the body of one answer may take to arrive, however steadily it drips.
pub const ANSWER_BODY_SECONDS_MAX: u64 = 30 * 60;

/// Times that a client makes a failed call again.
pub const CALL_RETRIES_MAX: u32 = 6;

/// Milliseconds of the first and of the longest pause before a call is made again.
pub const RETRY_PAUSE_FIRST_MILLISECONDS: u64 = 250;
/// See [`RETRY_PAUSE_FIRST_MILLISECONDS`].
pub const RETRY_PAUSE_MAX_MILLISECONDS: u64 = 8_000;

/// Seconds of a pause before a call is made again for which a peer may ask.
pub const RETRY_AFTER_SECONDS_MAX: u64 = 60;

/// Times that a client asks for a sync session to be opened, each with a nonce of its own, where the answer is lost or the
/// nonce no longer good.
pub const OPEN_TRIES_MAX: u32 = 3;

/// Milliseconds for which a server holds back its answer to a stage that is about to end, before it says `started`.
pub const STAGE_ANSWER_WAIT_MILLISECONDS: u64 = 250;

/// Seconds without a change in a session after which a client that lost the answer to its closing asks for that again.
pub const CLOSING_QUIET_SECONDS_MAX: u64 = 10;

/// Milliseconds of the first and of the longest pause between two questions to a peer whose stage is not done.
pub const POLL_PAUSE_FIRST_MILLISECONDS: u64 = 20;
/// See [`POLL_PAUSE_FIRST_MILLISECONDS`].
pub const POLL_PAUSE_MAX_MILLISECONDS: u64 = 2_000;

/// The part of what was waited so far for which such a pause lasts.
pub const POLL_PAUSE_PART: u32 = 8;

/// Records that one write transaction of a long stage takes, so that other writers get their turn.
pub const TRANSACTION_RECORDS_MAX: usize = 2_000;

/// Bytes of a serialized record text that one write transaction takes before it commits early.
pub const TRANSACTION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How often a transaction that met another one in the database is run.
pub const TRANSACTION_TRIES_MAX: u32 = 20;

/// Milliseconds of the first and of the longest pause before such a transaction is run again.
pub const TRANSACTION_PAUSE_FIRST_MILLISECONDS: u64 = 5;
/// See [`TRANSACTION_PAUSE_FIRST_MILLISECONDS`].
pub const TRANSACTION_PAUSE_MAX_MILLISECONDS: u64 = 500;

/// Records that may change places with each other at one time, where values that may stand in one row only go from row to row.
pub const PLACES_CHANGED_MAX: usize = 10_000;

/// Bytes of the records that may change places with each other at one time.
pub const PLACES_CHANGED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Levels of an application's tree that are walked up to see whether a row would come to stand below itself.
pub const TREE_LEVELS_MAX: usize = 100_000;

/// Records that one page of a list of what waits holds.
pub const WAITING_PAGE_MAX: usize = 1_000;

/// Bytes of such a page: past this it ends early.
pub const WAITING_PAGE_BYTES_TARGET: usize = 8 * 1024 * 1024;

/// Refused records that are kept for one transfer session. Further ones are counted as transferred, but not kept.
pub const REJECTIONS_PER_SESSION_MAX: i64 = 1_000;

/// Bytes of refused records past which no more of them are kept for one transfer session.
pub const REJECTIONS_BYTES_PER_SESSION_MAX: i64 = 64 * 1024 * 1024;

/// Refused records that are kept for all transfer sessions together; the oldest give way.
pub const REJECTIONS_MAX: i64 = 10_000;

/// Chunks of a push that wait between the database and the network.
pub const CHUNKS_READ_AHEAD_MAX: usize = 2;

/// Times within one push that a peer may have lost what it was sent, as by losing power, and is sent it again.
pub const TIMES_FALLEN_BACK_MAX: u32 = 3;

/// Bytes of an error message that we quote from a peer's answer.
pub const QUOTED_ANSWER_BYTES_MAX: usize = 500;

/// Records in one transfer: more than any peer has, so a number over this is a mistake.
pub const RECORDS_TOTAL_MAX: u64 = 1 << 40;

/// Transfers whose stages a server does in the background at one time; others wait for their turn.
pub const STAGE_WORKERS_MAX: usize = 8;

/// How often a stage that met a busy database is tried before it counts as failed.
pub const STAGE_TRIES_MAX: u32 = 5;

/// Seconds that a client waits for a peer that says it is at work in a stage.
pub const STAGE_SECONDS_MAX: u64 = 6 * 60 * 60;

/// Seconds that a client waits for a peer that does not come nearer to a stage, and does not say that it is at work.
pub const STALLED_SECONDS_MAX: u64 = 10 * 60;

/// Seconds for which a stage that was begun before the answer was lost may still be at work, whatever its peer says: so long it
/// is not begun anew.
pub const STAGE_BEGUN_SECONDS: u64 = 2 * 60;

/// Seconds after its last sign of life for which whoever works in a sync session is believed to be at work.
pub const HOLD_SECONDS: u64 = 5 * 60;

/// The same for a server process that works at a stage: it gives a sign of life with each transaction, and a client waits meanwhile.
pub const WORK_HOLD_SECONDS: u64 = 60;

/// Seconds between two notes of how far a push is.
pub const PROGRESS_NOTED_SECONDS: u64 = 2;

/// Seconds after which a session that nobody used is closed, unless an application chooses otherwise.
pub const SESSION_IDLE_SECONDS_DEFAULT: u64 = 30 * 24 * 60 * 60;

/// Renewals of the database's id within [`RENEWALS_SECONDS`], those that an application asked for among them, after which what peers say
/// causes none: so many a hostile one can cause. Each makes the counters of everybody longer by one instance; a database that is put back
/// more often than that is not told apart from what it was.
pub const RENEWALS_MAX: usize = 4;

/// See [`RENEWALS_MAX`].
pub const RENEWALS_SECONDS: i64 = 60 * 60;

/// Starts in a row at which a database is found to be another one. After them what tells it apart is no longer believed: it may
/// change by itself.
pub const RENEWALS_IN_A_ROW_MAX: u32 = 8;

/// Seconds after which a closed session is forgotten, unless an application chooses otherwise.
pub const SESSION_KEPT_SECONDS_DEFAULT: u64 = 180 * 24 * 60 * 60;

/// Seconds between two looks for sessions that nobody used.
pub const UPKEEP_SECONDS: u64 = 60 * 60;

/// Sessions that one look closes at most.
pub const SESSIONS_CLOSED_AT_ONCE_MAX: usize = 1_000;

/// Sessions in one list.
pub const SESSIONS_LISTED_MAX: usize = 10_000;

/// Transfer sessions of one sync session in one list.
pub const TRANSFERS_LISTED_MAX: usize = 100;

/// Bytes of records that are taken for one transfer session.
pub const TRANSFER_BYTES_MAX: i64 = 16 * 1024 * 1024 * 1024;

/// Characters of an address that is noted of a caller.
pub const IP_CHARS_MAX: usize = 100;

/// Characters of the path by which a peer was reached, as it is noted.
pub const CONNECTION_PATH_CHARS_MAX: usize = 1_000;

/// Values that one session remembers for operations.
pub const SESSION_MEMORY_VALUES_MAX: i64 = 10_000;

/// Bytes of the JSON text of one value that a session remembers.
pub const SESSION_MEMORY_VALUE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of the JSON text in which a peer says what it is.
pub const INSTANCE_BYTES_MAX: usize = 64 * 1024;
