/// Every metric there is. docs/operations.md has the same table; a test compares the two.
extension Metric {
    // MARK: Requests

    static let httpRequests = counter(
        "gatehouse_http_requests_total",
        "Requests answered, without those that the gate answers on the event loop.",
        by: "method", "route", "status")
    static let httpDuration = histogram(
        "gatehouse_http_request_duration_seconds",
        "Time from a request's head until its answer begins.", unit: .seconds,
        by: "method", "route")
    static let httpInFlight = gauge(
        "gatehouse_http_requests_in_flight", "Requests whose answer has not begun.")
    static let gateDecisions = counter(
        "gatehouse_gate_decisions_total",
        "Metered requests by what became of them: allowed, or the code of the refusal.",
        by: "outcome", "limit", "plan")
    static let gateFast = counter(
        "gatehouse_gate_event_loop_answers_total", "Gate requests answered on the event loop.")
    static let argon2Waiting = gauge(
        "gatehouse_argon2_waiting", "Passwords that wait to be hashed or checked.")
    static let argon2Refused = counter(
        "gatehouse_argon2_refused_total",
        "Passwords turned away with 503 because too many were waiting.")

    static let cacheLooks = counter(
        "gatehouse_cache_lookups_total", "Looks at what is kept in memory: a hit or a miss.",
        by: "cache", "result")
    static let signIns = counter(
        "gatehouse_sign_ins_total", "Sign-ins: signed_in, or the code of the refusal.",
        by: "outcome")

    // MARK: The store

    static let storeUp = gauge(
        "gatehouse_store_up", "1 when the store has answered the last look at it in time.")
    static let storeWaitingWrites = gauge(
        "gatehouse_store_writes_waiting", "Writes that wait for the writing thread.")
    static let storeCommits = counter(
        "gatehouse_store_commits_total", "Transactions committed; each is a group of writes.")
    static let storeWrites = counter(
        "gatehouse_store_writes_total",
        "Writes in those transactions; by commits, the size of a group.")
    static let storeFailedWrites = counter(
        "gatehouse_store_writes_failed_total",
        "Writes undone, because they were refused or their commit failed.")
    static let storeLargestGroup = gauge(
        "gatehouse_store_largest_group", "The most writes of one commit since the start.")
    static let storeCommitTime = counter(
        "gatehouse_store_commit_seconds_total",
        "Time spent in transactions, from BEGIN to the disk; by commits, the time of one.",
        unit: .seconds)
    static let storeCommitTimes = histogram(
        "gatehouse_store_commit_duration_seconds",
        "Time of each transaction, from BEGIN to the disk.", unit: .seconds)
    static let storeSyncTimes = histogram(
        "gatehouse_store_sync_duration_seconds",
        "Time of each COMMIT alone: writing the log and waiting for the disk.", unit: .seconds)
    static let storeBusyCheckpoints = counter(
        "gatehouse_store_checkpoints_busy_total", "Checkpoints that a reader held up.")
    static let storeWaitingReads = gauge(
        "gatehouse_store_reads_waiting", "Reads that wait for a reading thread.")
    static let storeReadersBusy = gauge(
        "gatehouse_store_readers_busy", "Reading threads at work.")
    static let storeReaders = gauge("gatehouse_store_readers", "Reading threads that there are.")
    static let storeCheckpoints = counter(
        "gatehouse_store_checkpoints_total",
        "Times the write-ahead log was copied into the file as far as readers let it.")
    static let storeCheckpointAge = gauge(
        "gatehouse_store_checkpoint_age_seconds",
        "Time since the last checkpoint; none before the first one since the start.",
        unit: .seconds)
    static let storeWALPages = gauge(
        "gatehouse_store_wal_pages", "Pages in the write-ahead log after the last commit.")
    static let storeWALSize = gauge(
        "gatehouse_store_wal_bytes", "The write-ahead log's size on the disk.", unit: .bytes)
    static let storeSize = gauge(
        "gatehouse_store_bytes", "The store's size on the disk, without its log.", unit: .bytes)
    static let diskFree = gauge(
        "gatehouse_disk_free_bytes", "Free on the disk of the data directory.", unit: .bytes)

    // MARK: Counting

    static let counterPlaces = gauge(
        "gatehouse_usage_places", "Places of the counter file that are taken.")
    static let counterFileSize = gauge(
        "gatehouse_usage_file_bytes", "The counter file's size.", unit: .bytes)
    static let counterDegraded = gauge(
        "gatehouse_usage_degraded",
        "1 when some counts are in memory alone, because the disk was full.")
    static let foldBacklog = gauge(
        "gatehouse_fold_backlog", "Customers with counts that the store does not have yet.")

    // MARK: Redis

    static let redisUp = gauge(
        "gatehouse_redis_up", "1 while there is a connection to Redis; none without redis.url.")
    static let redisConnections = counter(
        "gatehouse_redis_connections_total",
        "Connections made to Redis: two at a start, more when they were lost.")
    static let redisCommands = counter(
        "gatehouse_redis_commands_total",
        "Commands sent to Redis: answered, error where it refused, lost without an answer.",
        by: "outcome")
    static let redisRoundTrips = histogram(
        "gatehouse_redis_command_duration_seconds",
        "Time from a command's call to its answer.", unit: .seconds)
    static let redisWaiting = gauge(
        "gatehouse_redis_commands_waiting", "Commands without an answer so far.")
    static let redisDisagreements = counter(
        "gatehouse_redis_disagreements_total",
        "Decisions of the script in Redis that this program did not come to: none, or a fault.")
    static let blocks = gauge(
        "gatehouse_blocks", "Blocks of units that this daemon is lent, or asks for.")
    static let blockGrants = counter(
        "gatehouse_block_grants_total",
        "Requests that were granted of a block, in memory: all others ask Redis.")

    static let nodes = gauge(
        "gatehouse_nodes",
        "Nodes that share the store, live and dead, as this one sees them; none without redis.url.",
        by: "state")

    // MARK: Upkeep

    static let jobs = gauge(
        "gatehouse_jobs", "Background jobs that are not done.", by: "kind", "state")
    static let mails = counter(
        "gatehouse_mails_total",
        "Tries to send a mail: sent, delayed, refused, or dropped as its link was used.",
        by: "outcome")
    static let backupTime = gauge(
        "gatehouse_backup_last_success_timestamp_seconds",
        "When the newest backup in backup.directory was made; none without one.", unit: .seconds)
    static let backups = gauge("gatehouse_backups", "Backups in backup.directory.")
    static let drillTime = gauge(
        "gatehouse_drill_last_timestamp_seconds",
        "When a backup was last restored for trial; none before the first drill.", unit: .seconds)
    static let drillSuccess = gauge(
        "gatehouse_drill_last_success", "1 when the last drill restored its backup, else 0.")
    static let drillDuration = gauge(
        "gatehouse_drill_last_duration_seconds", "How long the last drill took.", unit: .seconds)
    static let certificateEnd = gauge(
        "gatehouse_tls_certificate_not_after_timestamp_seconds",
        "When the certificate in use ends; none without TLS of our own.", unit: .seconds)
    static let users = gauge("gatehouse_users", "Accounts.", by: "state")
    static let activeUsers = gauge(
        "gatehouse_active_users",
        "Accounts that used something metered today (1d), or today or in the 29 days before (30d).",
        by: "window")
    static let usage = gauge(
        "gatehouse_usage_this_month", "Used in this calendar month (UTC), all customers of a plan.",
        by: "plan", "metric")

    // MARK: What others are told

    static let spans = counter(
        "gatehouse_spans_total",
        "Spans by what became of them: sent, lost, rejected by the collector, or dropped unsent.",
        by: "outcome")
    static let faults = counter(
        "gatehouse_error_reports_total", "Errors for Sentry: sent or discarded.", by: "outcome")

    // MARK: The process

    static let buildInfo = gauge(
        "gatehouse_build_info", "Always 1: the labels say what runs.", by: "version", "sqlite")
    static let processCPU = counter(
        "process_cpu_seconds_total", "Time of processors used, user and system.", unit: .seconds)
    static let processMemory = gauge(
        "process_resident_memory_bytes", "Memory in use that is in RAM.", unit: .bytes)
    static let processVirtualMemory = gauge(
        "process_virtual_memory_bytes", "Addresses in use, files mapped among them.", unit: .bytes)
    static let processOpenFiles = gauge("process_open_fds", "File descriptors in use.")
    static let processFilesMax = gauge("process_max_fds", "File descriptors that may be in use.")
    static let processStart = gauge(
        "process_start_time_seconds", "When the process started.", unit: .seconds)
    static let processThreads = gauge("process_threads", "Threads of the process.")

    static let all: [Metric] =
        [httpRequests, httpDuration, httpInFlight, gateDecisions, gateFast]
        + [argon2Waiting, argon2Refused, cacheLooks, signIns]
        + [storeCommitTimes, storeSyncTimes, storeBusyCheckpoints]
        + [storeUp, storeWaitingWrites, storeCommits, storeWrites, storeFailedWrites]
        + [storeLargestGroup, storeCommitTime, storeWaitingReads, storeReadersBusy, storeReaders]
        + [storeCheckpoints, storeCheckpointAge, storeWALPages, storeWALSize, storeSize, diskFree]
        + [counterPlaces, counterFileSize, counterDegraded, foldBacklog]
        + [redisUp, redisConnections, redisCommands, redisRoundTrips, redisWaiting]
        + [redisDisagreements, blocks, blockGrants, nodes]
        + [
            jobs, mails, activeUsers, usage, spans, faults, backupTime, backups, drillTime,
            drillSuccess, drillDuration,
        ]
        + [certificateEnd, users]
        + [buildInfo, processCPU, processMemory, processVirtualMemory, processOpenFiles]
        + [processFilesMax, processStart, processThreads]
}
