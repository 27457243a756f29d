import Domain
import Store
import Testing

@Suite("Plans")
struct PlanContract {
    private static func full(_ sample: inout Sample) throws -> Plan {
        let limits = try Limits(
            json: .object([
                JSON.Member("requests_per_second", .integer(5)),
                JSON.Member("requests_burst", .integer(JSON.integerMax)),
                JSON.Member("requests_per_month", .null),
                JSON.Member(
                    "calls_per_day",
                    .object([
                        JSON.Member("limit", .integer(0)),
                        JSON.Member("overage", .string("allow")),
                    ])),
                JSON.Member("max_items", .integer(3)),
            ]))
        let id: PlanID = sample.id()
        return Plan(
            id: id, slug: "pro-1", name: "Pro “1”", description: "Für alle\nund mehr",
            limits: limits, isSelfService: true, isDefault: true, archivedAt: sample.now,
            createdAt: sample.now, updatedAt: sample.now + .seconds(1))
    }

    @Test("Every field comes back as it was written")
    func roundTrip() async throws {
        try await withStore { db in
            var sample = Sample()
            let bare = sample.plan("free")
            let full = try Self.full(&sample)
            try await db.insert(bare, full)
            let found = try await db.read { db throws(Problem) in
                [try db.plans.find(bare.id), try db.plans.find(slug: full.slug)]
            }
            #expect(found == [bare, full])
            #expect(full.limits.all.count == 5)
        }
    }

    @Test("A slug belongs to one plan: the second is not written")
    func uniqueSlug() async throws {
        try await withStore { db in
            var sample = Sample()
            let first = sample.plan("free")
            let second = sample.plan("free")
            let inserted = try await db.write { db throws(Problem) in
                [try db.plans.insert(first), try db.plans.insert(second)]
            }
            #expect(inserted == [true, false])
            #expect(try await db.texts("SELECT id FROM plans") == [first.id.description])
        }
    }

    @Test("An update writes every field that can change, and of that plan alone")
    func update() async throws {
        try await withStore { db in
            var sample = Sample()
            let plan = sample.plan("free")
            let other = sample.plan("other")
            var changed = try Self.full(&sample)
            changed = Plan(
                id: plan.id, slug: plan.slug, name: changed.name,
                description: changed.description, limits: changed.limits, isSelfService: true,
                isDefault: true, archivedAt: sample.now, createdAt: plan.createdAt,
                updatedAt: changed.updatedAt)
            let wanted = changed
            try await db.insert(plan, other)
            try await db.write { db throws(Problem) in try db.plans.update(wanted) }
            let found = try await db.read { db throws(Problem) in
                [try db.plans.find(plan.id), try db.plans.find(other.id)]
            }
            #expect(found == [wanted, other])
        }
    }

    @Test("One plan is the default: another that becomes it takes the first one's place")
    func oneDefault() async throws {
        try await withStore { db in
            var sample = Sample()
            let first = sample.plan("first", isDefault: true)
            let second = sample.plan("second", isDefault: true)
            var third = sample.plan("third")
            func defaults() async throws -> [String?] {
                let marked = try await db.texts("SELECT slug FROM plans WHERE is_default = 1")
                let found = try await db.read { db throws(Problem) in try db.plans.findDefault() }
                return marked + [found?.slug]
            }
            #expect(try await defaults() == [nil])
            try await db.insert(first, third)
            #expect(try await defaults() == ["first", "first"])
            try await db.insert(second)
            #expect(try await defaults() == ["second", "second"])
            third.isDefault = true
            let changed = third
            try await db.write { db throws(Problem) in try db.plans.update(changed) }
            #expect(try await defaults() == ["third", "third"])
        }
    }

    @Test("A default whose slug is taken does not take the default's place")
    func refusedDefault() async throws {
        try await withStore { db in
            var sample = Sample()
            try await db.insert(sample.plan("first", isDefault: true), sample.plan("second"))
            let twin = sample.plan("second", isDefault: true)
            let isInserted = try await db.write { db throws(Problem) in try db.plans.insert(twin) }
            #expect(!isInserted)
            let found = try await db.read { db throws(Problem) in try db.plans.findDefault() }
            #expect(found?.slug == "first")
        }
    }

    @Test("The store itself refuses a second default")
    func secondDefault() async throws {
        try await withStore { db in
            var sample = Sample()
            try await db.insert(sample.plan("first", isDefault: true), sample.plan("second"))
            let problem = await db.refusal { db throws(Problem) in
                try db.execute("UPDATE plans SET is_default = 1")
            }
            #expect(problem?.code == .internal)
            let marked = try await db.texts("SELECT slug FROM plans WHERE is_default = 1")
            #expect(marked == ["first"])
        }
    }

    @Test("An archived default is none")
    func archivedDefault() async throws {
        try await withStore { db in
            var sample = Sample()
            var plan = sample.plan("first", isDefault: true)
            plan.archivedAt = sample.now
            try await db.insert(plan)
            let found = try await db.read { db throws(Problem) in try db.plans.findDefault() }
            #expect(found == nil)
        }
    }

    @Test("The list runs from the newest in steady pages, archived ones only if asked for")
    func list() async throws {
        try await withStore { db in
            var sample = Sample()
            var made: [Plan] = []
            for number in 0..<10 {
                var plan = sample.plan("plan-\(number)")
                if number.isMultiple(of: 3) { plan.archivedAt = sample.now }
                made.append(plan)
                try await db.insert(plan)
            }
            var extra = 0
            for includesArchived in [true, false] {
                let oldest = made
                let found = try await readInPages(
                    id: { $0.id.description },
                    meanwhile: {
                        extra += 1
                        let plan = sample.plan("new-\(extra)")
                        made.append(plan)
                        try await db.insert(plan)
                    },
                    page: { page in
                        try await db.read { db throws(Problem) in
                            try db.plans.list(includingArchived: includesArchived, page)
                        }
                    })
                let expected = oldest.filter { includesArchived || $0.archivedAt == nil }
                #expect(found == expected.reversed())
            }
        }
    }
}
