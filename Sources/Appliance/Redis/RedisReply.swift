/// What the server answers to one command (RESP2).
enum RedisReply: Sendable, Equatable {
    case null
    case integer(Int64)
    /// A bulk or a simple string.
    case bytes([UInt8])
    /// Inside of an array alone: as a whole answer it is thrown as `RedisFailure.refused`.
    case error(String)
    case array([RedisReply])

    /// Of a bulk or a simple string; nil for anything else.
    var text: String? {
        guard case .bytes(let bytes) = self else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    var isError: Bool {
        guard case .error = self else { return false }
        return true
    }
}

/// Why there is no answer.
enum RedisFailure: Error, Sendable, Equatable {
    /// Not connected, too much waiting, out of time, lost on the way: the command may have been
    /// carried out or not.
    case away(String)
    /// The server's own words, its code first; the command was not carried out, or a script ended
    /// in the middle.
    case refused(String)
    /// The connection is with another server than the one that was meant, or with the same one
    /// started again. The command was not sent.
    case otherServer
}
