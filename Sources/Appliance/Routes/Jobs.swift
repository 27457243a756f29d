import Domain
import HTTPTypes
import Store

extension Appliance {
    var jobRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/jobs", .adminRead) { call throws(Problem) in
                let page = try call.page()
                let filter = Jobs.Filter(
                    kind: call.query("kind"), state: try call.queryChoice("state", Job.State.self))
                let jobs = try await self.store.read { db throws(Problem) in
                    try db.jobs.list(filter, page)
                }
                let next = Call.cursor(after: jobs.last?.id, isFull: jobs.count == page.limit)
                return .list(jobs, nextCursor: next) { $0.job($1) }
            },
            Route(.get, "/api/v1/admin/jobs/schedules", .adminRead) { _ throws(Problem) in
                let schedules = try await self.store.read { db throws(Problem) in
                    try db.schedules.list()
                }
                return .list(schedules, nextCursor: nil) { $0.schedule($1) }
            },
            Route(.post, "/api/v1/admin/jobs/{id}/retry", .adminWrite) { call throws(Problem) in
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

extension JSONWriter {
    /// `Job`. What it was given is not shown: it may hold a secret.
    fileprivate mutating func job(_ job: Job) {
        object { json in
            json.member("id", job.id)
            json.member("kind", job.kind)
            json.member("state", job.state.rawValue)
            json.member("attempts", job.attempts)
            json.member("attempts_max", job.attemptsMax)
            json.member("run_at", job.runAt)
            json.member("last_error", job.lastError)
            json.member("created_at", job.createdAt)
            json.member("finished_at", job.finishedAt)
        }
    }

    /// `Schedule`.
    fileprivate mutating func schedule(_ schedule: Schedules.Entry) {
        object { json in
            json.member("name", schedule.name)
            json.member("spec", schedule.spec)
            json.member("next_at", schedule.nextAt)
            json.member("last_at", schedule.lastAt)
            json.member("last_state", schedule.lastState?.rawValue)
        }
    }
}
