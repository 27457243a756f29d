import Glibc

/// What Linux says of this process (proc(5)), under the names that every exporter uses.
struct ProcessFigures: Sendable, Equatable {
    let cpuSeconds: Double
    let threads: Int
    /// Since the machine started, in seconds.
    let startedAfterBoot: Double
    let virtualBytes: Int
    let residentBytes: Int

    /// Nil for what is no line of `/proc/<pid>/stat`.
    init?(stat line: String, ticksPerSecond: Int, pageBytes: Int) {
        // The second field is the program's name, in parentheses, and may have both in it.
        guard let end = line.lastIndex(of: ")") else { return nil }
        // The first here is the third of the manual's list.
        let fields = line[line.index(after: end)...].split { $0 == " " || $0 == "\n" }
        guard fields.count > 21, let user = Int(fields[11]), let system = Int(fields[12]),
            let threads = Int(fields[17]), let start = Int(fields[19]),
            let virtual = Int(fields[20]), let pages = Int(fields[21])
        else { return nil }
        cpuSeconds = Double(user + system) / Double(ticksPerSecond)
        self.threads = threads
        startedAfterBoot = Double(start) / Double(ticksPerSecond)
        virtualBytes = virtual
        residentBytes = pages * pageBytes
    }

    /// None where there is no /proc to read.
    static var measurements: [Measurement] {
        var found: [Measurement] = []
        if let text = text("/proc/self/stat"),
            let figures = ProcessFigures(
                stat: text, ticksPerSecond: sysconf(Int32(_SC_CLK_TCK)),
                pageBytes: sysconf(Int32(_SC_PAGESIZE)))
        {
            found = [
                Measurement(.processCPU, figures.cpuSeconds),
                Measurement(.processMemory, figures.residentBytes),
                Measurement(.processVirtualMemory, figures.virtualBytes),
                Measurement(.processThreads, figures.threads),
                Measurement(.processStart, bootTime.map { $0 + figures.startedAfterBoot }),
            ]
        }
        if let open = try? SafeFile.names(in: "/proc/self/fd").count {
            // Without the one that the listing itself is read through.
            found.append(Measurement(.processOpenFiles, open - 1))
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            let isUnlimited = limit.rlim_cur == rlim_t.max
            found.append(
                Measurement(.processFilesMax, isUnlimited ? .infinity : Double(limit.rlim_cur)))
        }
        return found
    }

    /// In seconds since 1970, as `/proc/stat` has it.
    private static let bootTime: Double? = text("/proc/stat")?.split(separator: "\n")
        .first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst("btime ".count)) }

    private static func text(_ path: String) -> String? {
        // `/proc/stat` has a line for each processor and one for all interrupts.
        (try? SafeFile.read(path, bytesMax: 1 << 20)).map { String(decoding: $0, as: UTF8.self) }
    }
}
