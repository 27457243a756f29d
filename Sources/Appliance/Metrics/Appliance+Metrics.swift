import Domain
import HTTPTypes
import Store

extension Appliance {
    /// Everything that is measured, as it is now. What the store keeps is read here, and nothing is
    /// counted for it on the way of a request.
    func measurements(_ facts: Lookout.Facts) -> [Measurement] {
        httpMeter.measurements + gateMeasurements + storeMeasurements(facts)
            + countingMeasurements + redisMeasurements + nodeMeasurements
            + upkeepMeasurements(facts) + ProcessFigures.measurements + [
                Measurement(
                    .buildInfo, each: [([Gatehouse.version, SQLiteStore.library.version], 1)])
            ]
    }

    private var gateMeasurements: [Measurement] {
        let caches = authenticator.caches + [("customers", gatekeeper.looks)]
        let looks = caches.flatMap { name, looks in
            [([name, "hit"], Double(looks.hits)), ([name, "miss"], Double(looks.misses))]
        }
        return [
            Measurement(.gateDecisions, each: gateMeter.all),
            Measurement(.cacheLooks, each: looks.map { (labels: $0.0, value: $0.1) }),
            Measurement(.signIns, each: signIns.all),
            Measurement(.gateFast, gateAnswers.current),
            Measurement(.argon2Waiting, hasher.waiting),
            Measurement(.argon2Refused, hasher.refused),
        ]
    }

    private func storeMeasurements(_ facts: Lookout.Facts) -> [Measurement] {
        var found = [Measurement(.storeUp, facts.store == nil ? 0 : 1)]
        if let files = facts.disk {
            found += [
                Measurement(.storeSize, files.storeBytes),
                Measurement(.storeWALSize, files.walBytes),
                Measurement(.diskFree, files.freeBytes.map { Double($0) }),
            ]
        }
        if let store = engine as? PostgresStore {
            let (figures, readers) = (store.writerFigures, store.readerFigures)
            return found + [
                Measurement(.storeWaitingWrites, store.waitingWrites),
                Measurement(.storeCommits, figures.commits),
                Measurement(.storeWrites, figures.units),
                Measurement(.storeFailedWrites, figures.failed),
                Measurement(.storeLargestGroup, figures.largestGroup),
                Measurement(.storeWaitingReads, readers.waiting),
                Measurement(.storeReadersBusy, readers.busy),
                Measurement(.storeReaders, readers.count),
            ]
        }
        guard let store = engine as? SQLiteStore else { return found }
        let (figures, readers) = (store.writerFigures, store.readerFigures)
        return found + [
            Measurement(.storeWaitingWrites, store.waitingWrites),
            Measurement(.storeCommits, figures.commits), Measurement(.storeWrites, figures.units),
            Measurement(.storeFailedWrites, figures.failed),
            Measurement(.storeLargestGroup, figures.largestGroup),
            Measurement(.storeCommitTime, figures.commitTime),
            Measurement(.storeCommitTimes, figures.commitTimes),
            Measurement(.storeSyncTimes, figures.syncTimes),
            Measurement(.storeBusyCheckpoints, figures.busyCheckpoints),
            Measurement(.storeWaitingReads, readers.waiting),
            Measurement(.storeReadersBusy, readers.busy),
            Measurement(.storeReaders, readers.count),
            Measurement(.storeCheckpoints, figures.checkpoints),
            Measurement(
                .storeCheckpointAge, figures.checkpointedAt.map { ContinuousClock.now - $0 }),
            Measurement(.storeWALPages, figures.walPages),
        ]
    }

    private var countingMeasurements: [Measurement] {
        let figures = counters.figures
        return [
            Measurement(.counterPlaces, figures.slots),
            Measurement(.counterFileSize, figures.bytes),
            Measurement(.counterDegraded, figures.isDegraded ? 1 : 0),
            Measurement(.foldBacklog, gatekeeper.journal.backlog),
        ]
    }

    private var redisMeasurements: [Measurement] {
        guard let redis else { return [] }
        let meter = redis.meter
        return [
            Measurement(.redisUp, redis.server == nil ? 0 : 1),
            Measurement(.redisConnections, meter.connectionsMade),
            Measurement(
                .redisCommands, each: meter.commands.map { ([$0.outcome], Double($0.count)) }),
            Measurement(
                .redisRoundTrips,
                [Measurement.Series(labels: [], value: .histogram(meter.roundTrips.counts))]),
            Measurement(.redisWaiting, redis.unanswered),
            Measurement(.redisDisagreements, gatekeeper.shared?.disagreements.current ?? 0),
            Measurement(.blocks, gatekeeper.shared?.blocks.current ?? 0),
            Measurement(.blockGrants, gatekeeper.shared?.blocks.grants.current ?? 0),
        ]
    }

    private var nodeMeasurements: [Measurement] {
        guard let counts = cluster?.registry.counts else { return [] }
        let states = [("live", counts.live), ("dead", counts.dead)]
        return [Measurement(.nodes, each: states.map { ([$0.0], Double($0.1)) })]
    }

    private func upkeepMeasurements(_ facts: Lookout.Facts) -> [Measurement] {
        var found = [Measurement(.certificateEnd, (tls?.certificateEndsAt).map(Self.seconds))]
        if let files = facts.disk {
            let newest = files.backups.map(\.madeAt).max()
            found += [
                Measurement(.backups, files.backups.count),
                Measurement(.backupTime, newest.map(Self.seconds)),
            ]
        }
        found += [Measurement(.mails, each: mails.all)] + reportMeasurements
        if let usage = facts.usage {
            found += [
                Measurement(
                    .activeUsers,
                    each: [("1d", usage.activeToday), ("30d", usage.activeMonth)].map {
                        ([$0.0], Double($0.1))
                    }),
                Measurement(
                    .usage, each: usage.byPlan.map { ([$0.plan, $0.metric], Double($0.value)) }),
            ]
        }
        guard let records = facts.store else { return found }
        let users = records.users
        let states = [("active", users.total - users.inactive), ("inactive", users.inactive)]
        found += [
            Measurement(.users, each: states.map { ([$0.0], Double($0.1)) }),
            Measurement(
                .jobs,
                each: records.jobs.map { ([$0.kind, $0.state.rawValue], Double($0.count)) }),
        ]
        guard let drill = records.drill else { return found }
        return found + [
            Measurement(.drillTime, Self.seconds(drill.at)),
            Measurement(.drillSuccess, drill.failure == nil ? 1 : 0),
            Measurement(.drillDuration, drill.took),
        ]
    }

    /// None of what is not told to anybody.
    private var reportMeasurements: [Measurement] {
        let spans = exporter?.counts ?? []
        let faults = sentry?.counts ?? []
        return [
            Measurement(.spans, each: spans.map { ([$0.outcome], Double($0.count)) }),
            Measurement(.faults, each: faults.map { ([$0.outcome], Double($0.count)) }),
        ]
    }

    private static func seconds(_ moment: Timestamp) -> Double {
        Double(moment.milliseconds) / 1000
    }

    /// The one route of the metrics listener.
    func metricsRoute(_ lookout: Lookout) -> Route {
        Route(.get, "/metrics", .open, .unlisted, isThrottled: false) { call throws(Problem) in
            let format = Exposition.Format(accept: call.request.headers[.accept])
            let measurements = self.measurements(await lookout.facts())
            return .text(format.contentType, Exposition.write(measurements, as: format))
        }
    }
}
