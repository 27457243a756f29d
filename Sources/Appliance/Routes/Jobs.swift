import Domain
import HTTPTypes
import Store

extension Appliance {
    var jobRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/jobs", .adminRead, .listJobs) { call throws(Problem) in
                let page = try call.page()
                let filter = Jobs.Filter(
                    kind: try call.queryText("kind"),
                    state: try call.queryChoice("state", Job.State.self))
                let jobs = try await self.store.read { db throws(Problem) in
                    try db.jobs.list(filter, page)
                }
                let next = Call.cursor(after: jobs.last?.id, isFull: jobs.count == page.limit)
                return .list(jobs, nextCursor: next) { $0.job($1) }
            },
            Route(.get, "/api/v1/admin/jobs/schedules", .adminRead, .listSchedules) {
                _ throws(Problem) in
                let schedules = try await self.store.read { db throws(Problem) in
                    try db.schedules.list()
                }
                return .list(schedules, nextCursor: nil) { $0.schedule($1) }
            },
            Route(.post, "/api/v1/admin/jobs/{id}/retry", .adminWrite, .retryJob) {
                call throws(Problem) in
                try await self.retryJob(call)
            },
        ]
    }

    private func retryJob(_ call: Call) async throws(Problem) -> Answer {
        let id: JobID = try call.id("job")
        let actor = try call.signedIn().actor
        let (origin, now) = (call.origin, call.now)
        let job = try await store.write { db throws(Problem) in
            guard let before = try db.jobs.find(id) else { throw Problem.notFound("job") }
            guard let job = try db.jobs.retry(id, at: now) else {
                throw Problem(
                    .conflict, "Only a job that is dead or waits for a later time can be retried.")
            }
            try db.audit.append(
                origin.event(
                    "job.retried", by: actor, on: "job:\(id)",
                    meta: [
                        JSON.Member("kind", .string(job.kind)),
                        JSON.Member("from", .string(before.state.rawValue)),
                    ]),
                at: now)
            return job
        }
        return .json { $0.job(job) }
    }
}

extension Shapes {
    static let job = Shape<Job>(
        "Job",
        [
            .member("id") { $0.id },
            .member("kind", .string(example: "send_mail")) { $0.kind },
            .member("state") { $0.state },
            .member("attempts") { $0.attempts },
            .member("attempts_max", .integer(example: 8)) { $0.attemptsMax },
            .member("run_at") { $0.runAt },
            .member("last_error", .string(example: "The mail server is away.")) { $0.lastError },
            .member("created_at") { $0.createdAt },
            .member("finished_at") { $0.finishedAt },
        ])

    static let schedule = Shape<Schedules.Entry>(
        "Schedule",
        [
            .member("name", .string(example: "clean_up")) { $0.name },
            .member("spec", .string(example: "@every 5m")) { $0.spec },
            .member("next_at") { $0.nextAt },
            .member("last_at") { $0.lastAt },
            .member("last_state") { $0.lastState },
        ])
}

extension JSONWriter {
    /// `Job`. What it was given is not shown: it may hold a secret.
    fileprivate mutating func job(_ job: Job) { write(job, as: Shapes.job) }

    /// `Schedule`.
    fileprivate mutating func schedule(_ schedule: Schedules.Entry) {
        write(schedule, as: Shapes.schedule)
    }
}
