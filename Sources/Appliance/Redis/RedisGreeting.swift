import Domain

/// What a server says of itself when a connection to it begins.
struct RedisGreeting: Sendable, Equatable {
    /// Of this process: another one has another, also when it has read the same file.
    let runID: String
    let version: String
    /// What it does when its memory is full.
    let maxmemoryPolicy: String
    /// Why it cannot be used right now; nil when it can.
    let hindrance: String?

    /// - Parameter info: the answer to INFO; nil when it has no run id.
    init?(info: String) {
        func value(_ name: String) -> String? {
            let line = info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("\(name):") }
            return line.map { String($0.dropFirst(name.count + 1)) }
        }
        guard let runID = value("run_id"), !runID.isEmpty else { return nil }
        self.runID = runID
        version = value("redis_version") ?? ""
        maxmemoryPolicy = value("maxmemory_policy") ?? ""
        if value("loading") == "1" {
            hindrance = "the server is still reading its file"
        } else if value("role") == "slave" {
            hindrance = "the server is a replica"
        } else {
            hindrance = nil
        }
    }

    /// Other policies drop keys to make room: of a customer whose state is dropped, what they have
    /// used since the last fold would be forgotten.
    var evicts: Bool { !maxmemoryPolicy.isEmpty && maxmemoryPolicy != "noeviction" }
}

extension RedisLink {
    /// Signs in, chooses the database, says who we are, and learns who the server is.
    func greet(_ options: RedisOptions) async throws(RedisFailure) -> RedisGreeting {
        if let password = options.password {
            let words = [options.user, password.text].compactMap { $0.map { Array($0.utf8) } }
            try await demand(RedisCommand("AUTH", words))
        }
        if options.database != 0 {
            // The server takes it in any letters; in large ones it is SQL's word (HouseTests).
            try await demand(RedisCommand("select", "\(options.database)"))
        }
        // For who looks at CLIENT LIST; a user who may not do this may still be the right one.
        do throws(RedisFailure) {
            _ = try await send(RedisCommand("CLIENT", "SETNAME", "gatehouse"))
        } catch {
            guard case .refused = error else { throw error }
        }
        let info = try await demand(RedisCommand("INFO"))
        guard let greeting = info.text.flatMap(RedisGreeting.init(info:)) else {
            throw .away("INFO: the server does not say who it is")
        }
        if let hindrance = greeting.hindrance { throw .away(hindrance) }
        return greeting
    }

    /// A connection that begins with a refusal is of no use.
    @discardableResult
    private func demand(_ command: RedisCommand) async throws(RedisFailure) -> RedisReply {
        do throws(RedisFailure) {
            return try await send(command)
        } catch {
            guard case .refused(let words) = error else { throw error }
            throw .away("\(command.name): \(words)")
        }
    }
}
