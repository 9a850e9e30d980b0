using System;
using System.IO;
using System.Linq;
using System.Net;

/// <summary>
/// Fetches every file of a list by ticket and by pre-authorized URI with HttpWebRequest, the client of the
/// incident, and compares the bytes. Usage: mono Fetch.exe BASE CA HEADERS LIST; HEADERS holds "name: value"
/// lines, LIST holds "url path TAB local file" lines. CA is not used: Mono trusts its own store, which `cert-sync
/// --user CA` fills; it knows servers by name, so BASE must not be an address.
/// </summary>
public static class Fetch
{
    public static int Main(string[] args)
    {
        var ticket = File.ReadAllLines(args[2]).Where(l => l.Contains(": ")).ToArray();
        int count = 0;
        foreach (var line in File.ReadAllLines(args[3]))
        {
            var fields = line.Split('\t');
            var expected = File.ReadAllBytes(fields[1]);
            string uri;
            Check(Send("GET", args[0] + fields[0], ticket, out uri), expected, fields[0]);
            Send("HEAD", args[0] + fields[0], ticket, out uri);
            Check(Send("GET", args[0] + uri, new string[0], out uri), expected, fields[0]);
            count++;
        }
        Console.WriteLine(count + " identical");
        return 0;
    }

    static byte[] Send(string method, string uri, string[] headers, out string preauth)
    {
        var request = (HttpWebRequest)WebRequest.Create(uri);
        request.Method = method;
        request.Timeout = 30000;
        foreach (var header in headers)
        {
            request.Headers.Add(header);
        }
        using (var response = (HttpWebResponse)request.GetResponse())
        using (var body = new MemoryStream())
        {
            preauth = response.Headers["X-Preauth-Uri"];
            response.GetResponseStream().CopyTo(body);
            return body.ToArray();
        }
    }

    static void Check(byte[] actual, byte[] expected, string path)
    {
        if (!actual.SequenceEqual(expected))
        {
            throw new InvalidDataException(path + " differs");
        }
    }
}
