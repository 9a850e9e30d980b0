using System;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

/// <summary>
/// Fetches every file of a list by ticket and by pre-authorized URI with HttpWebRequest, the client of the
/// incident, and compares the bytes. Usage: mono Fetch.exe BASE CA HEADERS LIST; HEADERS holds "name: value"
/// lines, LIST holds "url path TAB local file" lines.
/// </summary>
public static class Fetch
{
    public static int Main(string[] args)
    {
        var roots = Roots(args[1]);
        ServicePointManager.ServerCertificateValidationCallback = (sender, certificate, chain, errors) =>
            (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) == 0 && IssuedByOneOf(roots, certificate);
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

    static X509Certificate2Collection Roots(string file)
    {
        var roots = new X509Certificate2Collection();
        const string end = "-----END CERTIFICATE-----";
        foreach (var pem in File.ReadAllText(file).Split(new[] { end }, StringSplitOptions.RemoveEmptyEntries))
        {
            int begin = pem.IndexOf("-----BEGIN", StringComparison.Ordinal);
            if (begin >= 0)
            {
                roots.Add(new X509Certificate2(System.Text.Encoding.ASCII.GetBytes(pem.Substring(begin) + end)));
            }
        }
        return roots;
    }

    /// Mono keeps its own certificate store; the chain is built against ours instead.
    static bool IssuedByOneOf(X509Certificate2Collection roots, X509Certificate certificate)
    {
        var chain = new X509Chain();
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.AllowUnknownCertificateAuthority;
        chain.ChainPolicy.ExtraStore.AddRange(roots);
        chain.Build(new X509Certificate2(certificate));
        var root = chain.ChainElements[chain.ChainElements.Count - 1].Certificate;
        return chain.ChainElements.Count > 1 && roots.Cast<X509Certificate2>().Any(r => r.Thumbprint == root.Thumbprint);
    }
}
