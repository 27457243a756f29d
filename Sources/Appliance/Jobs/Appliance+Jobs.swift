import Domain
import Logging
import Store

extension Appliance {
    /// Every kind of job and what it does, in one list: what is not here is not run.
    var jobHandlers: [JobHandler] {
        [
            JobHandler(.expireSubscriptions) { run throws(Problem) in
                try await self.expireSubscriptions(at: run.now)
                return .done
            },
            JobHandler(.cleanUp) { run throws(Problem) in
                try await self.cleanUp(at: run.now)
                return .done
            },
            JobHandler(.rotateSigningKey) { run throws(Problem) in
                try await self.rotateSigningKeyIfDue(at: run.now)
                return .done
            },
            JobHandler(.sendMail) { run throws(Problem) in try await self.sendMail(run) },
            JobHandler(.forgetKey) { run throws(Problem) in try await self.forgetKey(run) },
            JobHandler(.rollUpUsage) { run throws(Problem) in
                try await self.rollUpUsage(at: run.now)
                return .done
            },
        ] + nightlyHandlers
    }

    /// What comes again by itself, and when; an empty schedule never does.
    private var schedules: [(kind: JobKind<NoPayload>, spec: String)] {
        let (jobs, backup) = (configuration.jobs, configuration.backup)
        return [
            (.expireSubscriptions, jobs.expireSubscriptions), (.cleanUp, jobs.cleanUp),
            (.rotateSigningKey, jobs.rotateSigningKey), (.rollUpUsage, jobs.rollUpUsage),
        ]
            // A server's data are not ours to copy.
            + (configuration.isOnPostgres
                ? []
                : [
                    (.backUp, backup.at?.schedule ?? ""),
                    (.drill, backup.drillAt?.schedule ?? ""),
                ])
    }

    func jobRunner() -> JobRunner {
        JobRunner(
            jobHandlers, store: store, clock: clock,
            bounds: JobRunner.Bounds(
                workers: configuration.jobs.workers, lease: configuration.jobs.lease),
            tracer: tracer, logger: logger)
    }

    /// Puts the schedules of the configuration in place, and takes back what a killed process ran.
    func prepareJobs() async throws(Problem) {
        let now = clock.now()
        var wanted: [(name: String, spec: String, next: Timestamp)] = []
        for (kind, spec) in schedules where !spec.isEmpty {
            do throws(Schedule.Failure) {
                let schedule = try Schedule(spec)
                guard let next = schedule.next(after: now) else { continue }
                wanted.append((kind.name, schedule.text, next))
            } catch {
                throw .internal(cause: "jobs.\(kind.name): \(error.reason)")
            }
        }
        let known = Set(jobHandlers.map(\.name))
        // One process owns a SQLite store: whoever held a lease there is dead.
        let isAlone = engine is SQLiteStore
        let taken = try await store.write { [wanted] db throws(Problem) in
            let names = Set(wanted.map(\.name))
            for entry in try db.schedules.list()
            where known.contains(entry.name) && !names.contains(entry.name) {
                try db.schedules.remove(entry.name)
            }
            for (name, spec, next) in wanted {
                try db.schedules.set(name, spec: spec, nextAt: next)
            }
            try self.beginNights(db, at: now)
            return isAlone ? try db.jobs.takeBack(ofEverybody: true, at: now) : 0
        }
        if taken > 0 {
            logger.notice("jobs of a killed process taken back", metadata: ["count": "\(taken)"])
        }
    }
}
