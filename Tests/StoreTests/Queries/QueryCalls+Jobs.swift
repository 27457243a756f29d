import Domain
import Store

/// What runs in the background.
extension QueryCalls {
    mutating func addJobs() {
        let now = sample.now
        let (id, other): (JobID, JobID) = (sample.id(), sample.id())
        let job = Job(
            id: id, kind: "mail", state: .running, runAt: now, attempts: 1, attemptsMax: 3,
            lastError: nil, createdAt: now, finishedAt: nil)
        let claim = Jobs.Claim(job: job, payload: .object([]), owner: "a-1")
        add("jobs.enqueue") { db throws(Problem) in
            _ = try db.jobs.enqueue(
                "mail", payload: .object([]), attemptsMax: 3, uniqueKey: "a", at: now)
        }
        add("jobs.claim") { db throws(Problem) in
            _ = try db.jobs.claim("mail", atMost: 9, owner: "a-1", until: now, at: now)
        }
        add("jobs.renew") { db throws(Problem) in _ = try db.jobs.renew(claim, until: now) }
        add("jobs.complete") { db throws(Problem) in _ = try db.jobs.complete(claim, at: now) }
        add("jobs.fail") { db throws(Problem) in
            _ = try db.jobs.fail(claim, error: "a", next: now, at: now)
        }
        add("jobs.release") { db throws(Problem) in _ = try db.jobs.release(claim, at: now) }
        add("jobs.takeBack") { db throws(Problem) in
            _ = try db.jobs.takeBack(at: now)
            _ = try db.jobs.takeBack(except: [id, other], at: now)
            _ = try db.jobs.takeBack(ofEverybody: true, at: now)
        }
        add("jobs.nextRun") { db throws(Problem) in _ = try db.jobs.nextRun(of: "mail") }
        add("jobs.nextLeaseEnd") { db throws(Problem) in
            _ = try db.jobs.nextLeaseEnd(except: [])
            _ = try db.jobs.nextLeaseEnd(except: [id, other])
        }
        add("jobs.find") { db throws(Problem) in _ = try db.jobs.find(id) }
        add("jobs.retry") { db throws(Problem) in _ = try db.jobs.retry(id, at: now) }
        add("jobs.counts") { db throws(Problem) in _ = try db.jobs.counts() }
        add("jobs.prune") { db throws(Problem) in
            _ = try db.jobs.prune(.done, finishedBefore: now, atMost: 9)
        }
        addJobLists()
        addSchedules()
        addNodes()
    }

    private mutating func addNodes() {
        let now = sample.now
        var random = SystemRandomNumberGenerator()
        let name = NodeName(using: &random)
        add("nodes.enter") { db throws(Problem) in
            try db.nodes.enter(name, version: "1", at: now)
        }
        add("nodes.beat") { db throws(Problem) in _ = try db.nodes.beat(name, at: now) }
        add("nodes.reach") { db throws(Problem) in _ = try db.nodes.reach("a", name) }
        add("nodes.list") { db throws(Problem) in _ = try db.nodes.list() }
        add("nodes.remove") { db throws(Problem) in try db.nodes.remove(name, beat: 7) }
        add("nodes.leave") { db throws(Problem) in try db.nodes.leave(name) }
        add("changes.reach") { db throws(Problem) in _ = try db.changes.reach() }
        add("changes.list") { db throws(Problem) in
            _ = try db.changes.list(after: 7, atMost: 9)
        }
        // Nothing fills it on SQLite, and a prune of nothing would stop at its first statement.
        add("changes.prune") { db throws(Problem) in
            try db.execute("INSERT INTO changes VALUES (-1, 'account', 'a', 1)")
            _ = try db.changes.prune(madeBefore: now, atMost: 9)
        }
    }

    private mutating func addJobLists() {
        let page = page
        let filters: [(String, Jobs.Filter)] = [
            ("all", .init()), ("kind", .init(kind: "mail")), ("state", .init(state: .dead)),
            ("kind and state", .init(kind: "mail", state: .dead)),
        ]
        for (name, filter) in filters {
            add("jobs.list \(name)") { db throws(Problem) in
                _ = try db.jobs.list(filter, page)
            }
        }
    }

    private mutating func addSchedules() {
        let now = sample.now
        let due = Schedules.Due(name: "clean_up", spec: "@every 5m", at: now)
        add("schedules.set") { db throws(Problem) in
            try db.schedules.set("clean_up", spec: "@every 5m", nextAt: now)
        }
        add("schedules.due") { db throws(Problem) in _ = try db.schedules.due(at: now) }
        add("schedules.fire") { db throws(Problem) in
            _ = try db.schedules.fire(due, attemptsMax: 3, next: now + .seconds(300), at: now)
        }
        add("schedules.next") { db throws(Problem) in _ = try db.schedules.next(of: ["a"]) }
        add("schedules.list") { db throws(Problem) in _ = try db.schedules.list() }
        add("schedules.remove") { db throws(Problem) in try db.schedules.remove("clean_up") }
    }
}
