using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Security.Cryptography;

/// <summary>
/// One stock client of Mono, its defaults untouched, a request for each line; see stock.py. Usage: mono Stock.exe
/// HttpWebRequest|HttpClient. Mono trusts its own store, which `cert-sync --user CA` fills; it knows servers by
/// name, so the URLs must not have an address.
/// </summary>
public static class Stock
{
    struct Reply
    {
        public int Status;
        public byte[] Content;
        public string Connection;
    }

    public static int Main(string[] args)
    {
        var fetch = args[0] == "HttpClient" ? Modern() : (Func<string, Reply>)Classic;
        for (var line = Console.ReadLine(); line != null; line = Console.ReadLine())
        {
            var clock = Stopwatch.StartNew();
            var reply = new Reply { Content = new byte[0] };
            var error = "-";
            try
            {
                reply = fetch(line.Trim());
            }
            catch (Exception failure)
            {
                error = string.Join(" ", failure.ToString().Split((char[])null, StringSplitOptions.RemoveEmptyEntries));
            }
            var took = clock.ElapsedMilliseconds;
            string digest;
            using (var sha = SHA256.Create())
            {
                digest = string.Concat(sha.ComputeHash(reply.Content).Select(b => b.ToString("x2")));
            }
            Console.WriteLine(string.Join(
                "\t", took, reply.Status, reply.Content.Length, digest, reply.Connection ?? "-", error));
            Console.Out.Flush();
        }
        return 0;
    }

    static Reply Classic(string url)
    {
        var request = (HttpWebRequest)WebRequest.Create(url);
        using (var response = (HttpWebResponse)request.GetResponse())
        using (var body = new MemoryStream())
        {
            response.GetResponseStream().CopyTo(body);
            var connection = response.Headers["X-Repono-Connection"];
            return new Reply { Status = (int)response.StatusCode, Content = body.ToArray(), Connection = connection };
        }
    }

    static Func<string, Reply> Modern()
    {
        var client = new HttpClient();
        return url =>
        {
            using (var response = client.GetAsync(url).GetAwaiter().GetResult())
            {
                var content = response.Content.ReadAsByteArrayAsync().GetAwaiter().GetResult();
                var named = response.Headers.Where(h => h.Key.ToLowerInvariant() == "x-repono-connection");
                var connection = named.SelectMany(h => h.Value).FirstOrDefault();
                return new Reply { Status = (int)response.StatusCode, Content = content, Connection = connection };
            }
        };
    }
}
